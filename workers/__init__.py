"""The processes beside the web: one RQ worker per queue, and the clock."""
