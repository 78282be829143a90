"""Deliberate bugs, one patch each: the tests must catch every one of them. `make mutants` applies and tries them."""
