"""One module per scenario; each offers SCENARIO (see consular.drill.scenario)."""
