"""Use cases. One public call is one use case and one transaction; only services commit and ask for work."""
