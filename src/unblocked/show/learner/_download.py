"""A button that hands the browser a file, made when it is pressed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Callable


class Download(anywidget.AnyWidget):
    """A button that calls `make()` for the bytes of the file `name` each time it is pressed.

    Why it cannot (`CourseError`, `OSError`) is shown beside the button.
    """

    _esm = Path(__file__).with_name("download.js").read_text(encoding="utf-8")
    label = traitlets.Unicode().tag(sync=True)

    def __init__(self, label: str, name: str, make: Callable[[], bytes]) -> None:
        super().__init__(label=label)
        self._name, self._make = name, make
        self.on_msg(self._pressed)

    def _pressed(self, _widget: object, message: Any, _buffers: object) -> None:
        if message == "make":
            about = {"name": self._name, "type": "application/octet-stream"}
            try:
                content = self._make()
            except (CourseError, OSError) as error:
                self.send({"error": str(error)})
            else:
                self.send(about, buffers=[content])
