"""From a coarse map to alpha and foreground; a method of the literature is a file."""
