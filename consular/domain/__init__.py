"""Rules as pure functions: no framework, clock, randomness, environment or I/O."""
