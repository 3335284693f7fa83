"""A button that hands the browser a file, made when it is pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Callable

_SCRIPT = """
function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-button widget-button mod-primary";
  button.style.width = "auto";
  button.textContent = model.get("label");
  const says = document.createElement("span");
  says.setAttribute("role", "status");
  says.style.marginLeft = "8px";
  button.addEventListener("click", () => {
    says.textContent = "…";
    model.send("make");
  });
  const receive = (message, buffers) => {
    if (message.error) {
      says.textContent = message.error;
      return;
    }
    const url = URL.createObjectURL(new Blob([buffers[0]], { type: message.type }));
    const link = document.createElement("a");
    link.href = url;
    link.download = message.name;
    el.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    says.textContent = `${message.name}: ${Math.ceil(buffers[0].byteLength / 1000)} kB`;
  };
  model.on("msg:custom", receive);
  el.append(button, says);
  return () => model.off("msg:custom", receive);
}
export default { render };
"""


class Download(anywidget.AnyWidget):
    """A button; `make()` gives the bytes of the file `name` each time it is pressed.

    Why it cannot (`CourseError`, `OSError`) is shown beside the button.
    """

    _esm = _SCRIPT
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
