"""Sign-in, signed links, field encryption."""
