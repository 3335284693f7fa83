"""`python -m unblocked.grading [COURSE] [RUNG] [LANES]`, each may be '': a worker's process."""

from __future__ import annotations

import gc
import json

from unblocked.grading.sandbox import starting


def main() -> None:
    """Mark what comes on standard input, as `worker.py` says."""
    gc.disable()  # until all is imported
    try:
        preimported = starting.preimport()
    except starting.TooFewDescriptors as error:
        print(json.dumps({"refused": str(error)}), flush=True)
        return
    with starting.no_certificates():
        from unblocked.grading.classroom import worker
        from unblocked.grading.judge import mark  # noqa: F401

    worker.main(preimported)


if __name__ == "__main__":
    main()
