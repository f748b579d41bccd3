"""Many pictures: which files, what is done with each, and the record of it."""
