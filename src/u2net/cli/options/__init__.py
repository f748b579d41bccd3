"""Flags that mean the same in every command, a group of them per file."""
