"""The version, alone: reading it loads nothing else."""

__version__ = "0.1.0"
