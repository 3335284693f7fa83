"""What is graded in `catch-the-bug`: which kinds of bugs a set of tests tells from right apps."""

from __future__ import annotations

from pathlib import Path

from unblocked.grading.checks.catch import catching, read_bank

NEEDED = "test_*"
BANK = read_bank(Path(__file__).parent / "apps")

catches = catching(BANK)
