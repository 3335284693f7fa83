"""The study of TLS: what it counts does not depend on how fast the machine is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench import tls

if TYPE_CHECKING:
    from bench.report import Report


@pytest.fixture(scope="module")
def report() -> Report:
    return tls.study("tiny")


def test_each_client_is_used_in_each_way_over_both_schemes(report: Report) -> None:
    found = {(row["client"], row["used"], row["scheme"]) for row in report.rows}
    assert {client for client, _, _ in found} == set(tls.KINDS)
    assert {(use, scheme) for client, use, scheme in found if client == "httpx"} == {
        (use, scheme) for use in tls.USES for scheme in tls.SCHEMES
    }


def test_only_what_is_kept_saves_connections(report: Report) -> None:
    for row in report.rows:
        kept = row["used"] == tls.KEPT
        assert (row["connections_per_call"] < 1) == kept, row
        assert kept or row["connections_per_call"] == 1, row


def test_each_tls_connection_is_one_handshake(report: Report) -> None:
    for row in report.rows:
        over_tls = row["scheme"] == "https"
        expected = row["connections_per_call"] if over_tls else 0
        assert row["handshakes_per_call"] == expected, row


def test_a_ratio_is_taken_repetition_by_repetition() -> None:
    kept, closed = (tls.Way("httpx", use, "https") for use in (tls.KEPT, tls.CLOSED))
    speeds = [(kept, 100.0), (closed, 10.0), (kept, 30.0), (closed, 10.0)]
    laps = [tls.Lap(way, speed, 1.0, 1.0, 1.0, 1.0) for way, speed in speeds]
    assert tls.ratios(laps, kept, closed) == [10.0, 3.0]


def test_the_environment_is_as_before(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "mine.pem")
    with tls._upstreams():
        assert os.environ["SSL_CERT_FILE"] != "mine.pem"
    assert os.environ["SSL_CERT_FILE"] == "mine.pem"
