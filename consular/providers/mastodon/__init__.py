"""Public posts to an account on a Mastodon server (or one that speaks its API)."""
