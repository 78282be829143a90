"""The practice world: scenarios, made-up citizens and a gateway simulator; a ministry trains with it, tests use it."""
