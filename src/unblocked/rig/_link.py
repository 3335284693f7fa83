"""Where a browser reaches a served port."""

from __future__ import annotations

import html
import os


class Link(str):
    """An address that a notebook shows as a link."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        address = html.escape(self)
        return f'<a href="{address}" target="_blank" rel="noopener">{address}</a>'


def reachable(port: int, path: str) -> str:
    """Return the address of `path` on `port`: direct, or through jupyter-server-proxy on
    JupyterHub.

    On JupyterHub and Binder the browser is on another machine than the server; both say so by
    `JUPYTERHUB_SERVICE_PREFIX`, the path at which this user's Jupyter is found.
    """
    path = path.lstrip("/")
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if prefix:
        return f"{prefix.rstrip('/')}/proxy/{port}/{path}"
    return f"http://127.0.0.1:{port}/{path}"
