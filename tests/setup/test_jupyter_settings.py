"""JupyterLab opens the course without news, update checks or a request to the internet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS: dict[str, dict[str, Any]] = json.loads((ROOT / "jupyter/overrides.json").read_text("utf-8"))
LAB = Path(sys.prefix) / "share" / "jupyter" / "lab"


def test_they_are_installed_with_the_package() -> None:
    assert json.loads((LAB / "settings/overrides.json").read_text("utf-8")) == OURS


@pytest.mark.parametrize("plugin", OURS)
def test_jupyterlab_knows_each_setting(plugin: str) -> None:
    package, name = plugin.split(":")
    schema = json.loads((LAB / "schemas" / package / f"{name}.json").read_text("utf-8"))
    for key, value in OURS[plugin].items():
        described = schema["properties"][key]
        assert value in described.get("enum", [value])
        assert isinstance(value, {"boolean": bool, "string": str}[described["type"]])
