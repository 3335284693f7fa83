"""Learners' text that is parsed beside the marker: the worst that fits the bound harms nobody."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sets limits of resources")

CPU_SECONDS, BYTES = 10, 512 << 20
"""For all of the texts together, with the start of Python: a fraction of what an answer may use."""
PARSED = r"""
import resource
from unblocked.grading import attempt

resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
N = attempt.LONGEST
deep = ["(", "[", "{", "{1:", "f(", "a[", "not ", "-", "lambda:", "await ", "1 if 1 else ", "(a:=",
        "(yield ", "(a,", "{a for a in ", "f'{", "with (a,", "[a for a in ", "*(", "**"]
closed = {"(": ")", "[": "]", "{": "}", "f": ")", "a": "]", "*": ")"}
wide = ["+1", "**1", "<1", ".b", "()", "[0]", ",1", " and a", "\na", "\na=1", "=a", "\n@a", ";a",
        " for a in b", "\nif a:\n b", " if a else b", "\nasync def f(): await a"]
texts = [head * (N // len(head)) for head in deep]
texts += [head * 190 + "a b" for head in deep]
texts += [head * 99 + "a" + closed.get(head[0], ")") * 99 for head in deep]
texts += ["a" + (tail * N)[: N - 1] for tail in wide]
texts += ["f'" + "{a}" * (N // 3 - 1) + "'", "x = 1" + "1" * (N - 5), "\ufb03" * N]
texts += ["'" + "\\N{DIGIT ONE}" * 1500 + "'", "app = 1\n" + "#" * (N - 9)]
texts += ["".join(" " * i + "if 1:\n" for i in range(150)), "f(" + "a=1," * (N // 4 - 1) + ")"]
texts += ["match a:\n case " + "|".join(["1"] * (N // 2 - 20)) + ": pass"]
for text in texts:
    attempt.tree(text[:N])
    attempt.fingerprint([text[:N]])
assert attempt.tree("a" * (N + 1)) is None
print(len(texts), "texts")
"""


def test_the_worst_text_is_parsed_within_limits() -> None:
    source = PARSED.replace("SECONDS", str(CPU_SECONDS)).replace("BYTES", str(BYTES))
    command = [sys.executable, "-W", "ignore", "-c", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "85 texts\n"), done.stderr
