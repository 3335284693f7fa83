"""A published example is run as an app, and its callers' answers are told in a line each."""

from __future__ import annotations

import asyncio

import pytest

from unblocked.rig.example import app_from, ask, module_from

APP = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI()


@app.get("/")
async def index():
    return ANSWER()
"""
TWO_LINES = "ANSWER = lambda: PlainTextResponse('one\\ntwo')"
RAISES = "ANSWER = lambda: 1 / 0"
BREAKS_OFF = """
async def pieces():
    yield "a piece"
    raise ArithmeticError("in the middle")


ANSWER = lambda: StreamingResponse(pieces())
"""


def test_a_module_has_the_names_that_are_given() -> None:
    assert module_from("twice = 2 * once", once=4)["twice"] == 8


def test_a_text_without_an_app_says_so() -> None:
    with pytest.raises(KeyError, match="app"):
        app_from("pass")


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("", "500 NameError: name 'ANSWER' is not defined"),
        (RAISES, "500 ZeroDivisionError: division by zero"),
        (TWO_LINES, "200, content type: text/plain; charset=utf-8, lines: 2"),
    ],
)
def test_callers_are_told_apart_by_what_they_get(
    ending: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asyncio.run(ask(APP + ending, callers=2)) == [told, told]
    assert capsys.readouterr().out == f"2 x {told}\n"


def test_an_answer_that_breaks_off_is_told_with_its_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (told,) = asyncio.run(ask(APP + BREAKS_OFF))
    assert told.startswith("200, then RemoteProtocolError: peer closed connection")
    assert "ArithmeticError: in the middle" in capsys.readouterr().err
