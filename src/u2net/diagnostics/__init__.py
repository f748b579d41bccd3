"""What this machine can do: `u2net doctor` and `u2net bench`."""
