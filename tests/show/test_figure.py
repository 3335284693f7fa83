from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest

from unblocked.show import _frontend
from unblocked.show.figure import picture


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    bundles: list[dict[str, Any]] = []
    monkeypatch.setattr(_frontend.Slot, "put", lambda _, bundle: bundles.append(bundle))
    return bundles


def test_a_picture_has_its_alternative_text_and_is_closed(shown: list[dict[str, Any]]) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    picture(figure, 'beats & "gaps"')
    assert 'alt="beats &amp; &quot;gaps&quot;"' in shown[0]["text/html"]
    assert shown[0]["text/plain"] == 'beats & "gaps"'
    assert figure.number not in plt.get_fignums()
