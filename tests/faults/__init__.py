"""The fault matrix on the running system: `python -m tests.faults` (docs/faults.md)."""
