"""Any figure of a lesson, with words for whoever does not see it."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from unblocked.show._frontend import Slot
from unblocked.show._picture import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture(figure: Figure, alt: str) -> None:
    """Show a matplotlib figure below the cell, `alt` as its alternative text, and close it.

    Jupyter itself gives pictures no alternative text; a page with an `<img alt>` has one, and stays
    in a saved notebook.
    """
    data = base64.b64encode(png(figure)).decode("ascii")
    plt.close(figure)
    image = f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}" style="max-width:100%">'
    Slot().put({"text/plain": alt, "image/png": data, "text/html": image})
