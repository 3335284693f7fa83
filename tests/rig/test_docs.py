"""A FastAPI app's `/docs`: no CDN, right behind a proxy with a prefix, the app untouched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI

from unblocked.rig import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = FastAPI(title="Mine")

    @app.get("/items/{number}")
    async def item(number: int) -> int:
        return number

    return app


@pytest.fixture
def served(app: FastAPI) -> Iterator[Server]:
    with serve(app) as server:
        yield server


def loaded_by(page: str) -> list[str]:
    """The addresses that the docs page loads."""
    return re.findall(r"""(?:href=|src=|url: )["']([^"']+)["']""", page)


@pytest.mark.parametrize("place", ["/docs", "/redoc"])
def test_nothing_comes_from_elsewhere(served: Server, place: str) -> None:
    page = httpx.get(served.url + place)
    assert page.headers["content-type"].startswith("text/html")
    addresses = [address for address in loaded_by(page.text) if address != "data:,"]
    assert len(addresses) == 3
    for address in addresses:
        assert "//" not in address
        assert httpx.get(urljoin(f"{served.url}/docs", address)).status_code == 200
    assert not re.search(r"https?://", page.text.replace("http://127.0.0.1", ""))


def test_addresses_stay_under_a_proxys_prefix(served: Server) -> None:
    base = "https://hub.example/user/ada/proxy/8000/"
    page = httpx.get(f"{served.url}/docs").text
    for address in loaded_by(page):
        if address != "data:,":
            assert urljoin(f"{base}docs", address).startswith(base)
    schema_address = next(address for address in loaded_by(page) if address.endswith(".json"))
    schema = httpx.get(f"{served.url}/{schema_address}").json()
    target = urljoin(urljoin(f"{base}docs", schema_address), schema["servers"][0]["url"])
    assert target == base


def test_the_app_and_its_own_schema_are_untouched(app: FastAPI, served: Server) -> None:
    routes = [getattr(route, "path", "") for route in app.routes]
    httpx.get(f"{served.url}/docs")
    httpx.get(f"{served.url}/unblocked-docs-openapi.json")
    own = httpx.get(f"{served.url}/openapi.json").json()
    assert "servers" not in own
    assert own["info"]["title"] == "Mine"
    assert routes == [getattr(route, "path", "") for route in app.routes]
    assert "unblocked" not in str(own)


def test_head_has_no_body(served: Server) -> None:
    answer = httpx.head(f"{served.url}/docs")
    assert (answer.status_code, answer.content) == (200, b"")


def test_what_is_not_there_is_the_apps_answer(served: Server) -> None:
    for path in ("/unblocked-docs-secret", "/unblocked-docs-../_docs.py", "/swagger-ui.css"):
        assert httpx.get(f"{served.url}{path}").status_code == 404
    assert httpx.post(f"{served.url}/docs").status_code == 405


def test_docs_in_a_folder() -> None:
    with serve(FastAPI(docs_url="/api/docs")) as served:
        page = httpx.get(f"{served.url}/api/docs").text
        for address in loaded_by(page):
            if address != "data:,":
                url = urljoin(f"{served.url}/api/docs", address)
                assert httpx.get(url).status_code == 200


@pytest.mark.parametrize("options", [{"docs_url": None}, {"openapi_url": None}])
def test_docs_that_were_switched_off_stay_off(options: dict[str, Any]) -> None:
    with serve(FastAPI(**options)) as served:
        assert httpx.get(f"{served.url}/docs").status_code == 404


def test_the_link_is_direct_on_a_laptop(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    assert served.link() == f"{served.url}/"
    assert served.link("/docs") == f"{served.url}/docs"
    assert f'href="{served.url}/docs"' in served._repr_html_()


def test_the_link_goes_through_the_hub(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert served.link("/docs") == f"/user/ada/proxy/{served.port}/docs"
    assert f'href="/user/ada/proxy/{served.port}/"' in served._repr_html_()
    assert "target=" in served.link()._repr_html_()


def test_a_stopped_server_gives_no_link(app: FastAPI) -> None:
    served = serve(app)
    served.stop()
    assert "href" not in served._repr_html_()
