"""`python -m u2net` and the command `u2net`."""

from __future__ import annotations

from u2net.cli import main

if __name__ == "__main__":
    main()
