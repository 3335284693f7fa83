"""What all pictures of the course share: colours, how they are saved, and how they are shown."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from unblocked.show._frontend import Slot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unblocked.show._frontend import Bundle

VERMILION, BLUE, GREEN, PURPLE = "#D55E00", "#0072B2", "#009E73", "#CC79A7"
PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#999999")
"""Okabe and Ito's colours, light enough for black letters on them."""


def new_figure(**options: Any) -> Figure:
    """Make a figure that pyplot does not keep.

    matplotlib is loaded with the first one: it takes a second, and most notebooks draw nothing.
    """
    from matplotlib.figure import Figure

    return Figure(**options)


def plain(axes: Axes) -> None:
    """Leave out the parts of the frame that say nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors="#333333")


def gaps(values: Any) -> list[float]:
    """Return the values for a line, in which None is a gap."""
    return [float("nan") if value is None else float(value) for value in values]


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file with a white ground, readable on dark pages too."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110, facecolor="white")
    return data.getvalue()


def shown(data: bytes, alt: str, text: str = "", below: str = "") -> Bundle:
    """Return display data for a PNG file, with `alt` as its alternative text.

    Jupyter itself gives pictures no alternative text. A page with an `<img alt>` has one, and it
    stays in a saved notebook, trusted or not.

    Args:
        data: the PNG file.
        alt: what the picture says, in words.
        text: what a terminal shows instead; `alt` if it is empty.
        below: HTML that follows the picture.
    """
    encoded = base64.b64encode(data).decode("ascii")
    image = (
        f'<img alt="{escape(alt)}" src="data:image/png;base64,{encoded}" style="max-width:100%">'
    )
    return {
        "text/plain": text or alt,
        "image/png": encoded,
        "text/html": f'<figure style="margin:0">{image}</figure>{below}',
    }


def picture(figure: Figure, alt: str) -> None:
    """Show a matplotlib figure below the cell, `alt` as its alternative text, and close it."""
    import matplotlib.pyplot as plt

    data = png(figure)
    plt.close(figure)
    Slot().put(shown(data, alt))
