"""A trained network in the format of another runtime. Needs `u2net[train]`."""
