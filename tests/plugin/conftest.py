"""The real window, where there is a screen: napari under a display, real or virtual."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def no_window() -> str:
    """Return why no window can be opened; empty if one can."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display: run the tests under xvfb-run"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # napari and what it imports warn about each other
            import napari
            import napari._vispy  # noqa: F401
            import qtpy.QtWidgets  # noqa: F401
    except Exception as error:
        return f"napari or Qt cannot be imported ({error}): install .[all] and Qt's system libraries"
    return ""


@pytest.fixture
def new_viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Make viewers whose windows are shown, and close them; sessions are kept in a folder of the test."""
    why = no_window()
    if why:
        pytest.skip(why)
    import napari
    from qtpy.QtWidgets import QApplication

    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "cache"))
    made = []
    kind = napari.Viewer

    def new() -> Any:
        viewer = napari.Viewer()
        viewer.window.resize(1200, 860)
        made.append(viewer)
        return viewer

    yield new
    for viewer in made:
        if viewer in kind._instances:
            viewer.close()
    for _ in range(20):
        QApplication.processEvents()
