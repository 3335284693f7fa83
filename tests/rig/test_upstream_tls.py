"""`Upstream` with a certificate: it speaks TLS only, and counts handshakes."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme

from unblocked.rig import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    with Upstream(delay=0, certificate=_certificate(authority, tmp_path_factory)) as upstream:
        yield upstream


def _certificate(authority: trustme.CA, folders: pytest.TempPathFactory) -> Path:
    path = folders.mktemp("tls") / "server.pem"
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def test_a_handshake_is_counted_once_for_each_connection(
    authority: trustme.CA, secure: Upstream
) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    secure.reset()
    before = secure.handshakes
    for _ in range(2):
        with httpx.Client(verify=trust) as client:
            assert [client.get(secure.url).status_code for _ in range(3)] == [200] * 3
    assert secure.handshakes - before == secure.counts.opened == 2


def test_it_says_https_and_answers_nothing_else(secure: Upstream) -> None:
    assert secure.url.startswith("https://127.0.0.1:")
    with pytest.raises(httpx.TransportError):
        httpx.get(secure.url.replace("https:", "http:"))


def test_without_a_certificate_there_are_no_handshakes(upstream: Upstream) -> None:
    assert httpx.get(upstream.url).status_code == 200
    assert upstream.handshakes == 0


def test_a_certificate_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended unexpectedly"):
        Upstream(certificate=tmp_path / "none.pem")
