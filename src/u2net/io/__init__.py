"""Files to `Picture` and back: a still or animated format is a file here."""
