"""Which object is meant, and how finely: hints, parts, tiles."""
