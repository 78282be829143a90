"""A deterministic simulation of sending, settling and hearing: one seed is one whole run (docs/adr/0007)."""
