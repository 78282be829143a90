"""Any operator that takes texts over plain HTTP, described by a profile: what to send, how to read what comes back."""
