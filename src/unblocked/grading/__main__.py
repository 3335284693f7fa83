"""`python -m unblocked.grading [COURSE] [RUNG] [LANES]`, each may be '': a worker's process."""

from __future__ import annotations

from unblocked.grading import starting


def main() -> None:
    """Mark what comes on standard input, as `worker.py` says."""
    preimported = starting.preimport()
    from unblocked.grading import worker

    worker.main(preimported)


if __name__ == "__main__":
    main()
