"""A trained network in the format of another runtime. Needs the extra `train`."""
