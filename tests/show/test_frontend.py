"""Who is taken to be looking."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from unblocked.show import _frontend


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The names in a kernel's user namespace, in an environment that says nothing."""
    for name in ("UNBLOCKED_WIDGETS", "JPY_SESSION_NAME", "__vsc_ipynb_file__"):
        monkeypatch.delenv(name, raising=False)
    user_ns: dict[str, object] = {}
    shell = SimpleNamespace(kernel=object(), user_ns=user_ns)
    monkeypatch.setattr(_frontend, "get_ipython", lambda: shell)
    return user_ns


def test_a_program_that_runs_a_notebook_presses_no_buttons(names: dict[str, object]) -> None:
    assert _frontend.in_kernel()
    assert not _frontend.has_front_end()


def test_vs_code_is_known_by_a_name_in_the_user_namespace(names: dict[str, object]) -> None:
    names["__vsc_ipynb_file__"] = "/home/ada/notebooks/00-start-here.ipynb"
    assert _frontend.has_front_end()


def test_jupyters_server_is_known_by_the_environment(
    names: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "00-start-here.ipynb")
    assert _frontend.has_front_end()


def test_a_wish_overrides_what_is_found(
    names: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["__vsc_ipynb_file__"] = "/home/ada/notebooks/00-start-here.ipynb"
    monkeypatch.setenv("UNBLOCKED_WIDGETS", "0")
    assert not _frontend.has_front_end()


def test_outside_a_kernel_there_is_nobody(
    names: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_frontend, "get_ipython", lambda: None)
    monkeypatch.setenv("JPY_SESSION_NAME", "00-start-here.ipynb")
    assert not _frontend.has_front_end()
