"""Jobs: a wake-up each, at most ten lines, one service call; they carry no data."""
