"""Every SELECT and UPDATE that is more than an attribute change. Nothing here commits."""
