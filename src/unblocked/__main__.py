"""Runs `unblocked` for `python -m unblocked …`."""

from __future__ import annotations

import sys

from unblocked.cli import main

if __name__ == "__main__":
    sys.exit(main())
