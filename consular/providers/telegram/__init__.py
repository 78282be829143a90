"""Public posts to a Telegram channel through its Bot API."""
