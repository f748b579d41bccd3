"""What runs a network: a file an engine, one `open_…` function each, its library imported inside it."""
