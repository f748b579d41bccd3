"""Which models there are, and where their weight files are."""
