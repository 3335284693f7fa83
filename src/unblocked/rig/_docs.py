"""Serves FastAPI's `/docs` from local files and with relative addresses.

As FastAPI writes it, the page takes Swagger UI from a CDN, so that it is blank offline, and asks
for `/openapi.json`, which is not there behind a proxy with a prefix. Here the page is answered
around the app: the app, its routes and its own `/openapi.json` stay as they are. `/redoc`, which
takes its script and its fonts from elsewhere too, shows the same page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unblocked.rig._record import ASGIApp, Receive, Scope, Send

_ASSETS = Path(__file__).with_name("assets") / "swagger"
_KINDS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_PREFIX = "unblocked-docs-"
_SCHEMA = f"{_PREFIX}openapi.json"


class LocalDocs:
    """ASGI middleware that answers the docs page of a FastAPI app and what the page loads."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # What has the two is a FastAPI app; anything else has no docs page to answer for.
        has_docs = hasattr(app, "openapi") and getattr(app, "openapi_url", None) is not None
        names = ("docs_url", "redoc_url") if has_docs else ()
        self._pages = {url for name in names if (url := getattr(app, name, None)) is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if self._pages and scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
        else:
            await _send(send, *answer, body_wanted=scope["method"] != "HEAD")

    def _answer(self, scope: Scope) -> tuple[bytes, str] | None:
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            return None
        if path in self._pages:
            return _page(self._app, path), "text/html; charset=utf-8"
        name = path.removeprefix(f"/{_PREFIX}")
        if name in _KINDS and name != path:
            return (_ASSETS / name).read_bytes(), _KINDS[name]
        if path == f"/{_SCHEMA}":
            return json.dumps(_schema(self._app)).encode(), "application/json"
        return None


def _page(app: Any, path: str) -> bytes:
    from fastapi.openapi.docs import get_swagger_ui_html

    root = "../" * (path.count("/") - 1)
    page = get_swagger_ui_html(
        openapi_url=f"{root}{_SCHEMA}",
        title=f"{app.title} - Swagger UI",
        swagger_js_url=f"{root}{_PREFIX}swagger-ui-bundle.js",
        swagger_css_url=f"{root}{_PREFIX}swagger-ui.css",
        swagger_favicon_url="data:,",
        init_oauth=app.swagger_ui_init_oauth,
        swagger_ui_parameters=app.swagger_ui_parameters,
    )
    return bytes(page.body)


def _schema(app: Any) -> dict[str, Any]:
    """Return the app's OpenAPI, in which calls go to the address that the document came from."""
    schema: dict[str, Any] = dict(app.openapi())
    schema.setdefault("servers", [{"url": "."}])
    return schema


async def _send(send: Send, body: bytes, kind: str, *, body_wanted: bool) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body if body_wanted else b""})
