"""A script with a viewer of its own, and the snippet that shows how."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "start" / "window.md"


def test_the_script_of_the_page_works(new_viewer: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import napari

    from tests.plugin.visitor import Visitor

    viewer = new_viewer()
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    monkeypatch.setattr(napari, "Viewer", lambda: viewer)
    monkeypatch.setattr(napari, "run", lambda: Visitor(viewer).rest(0.5))
    names: dict[str, Any] = {}
    exec(compile(snippet, str(PAGE), "exec"), names)
    session = names["session"]
    assert len(session.masks(1)) == 30
    shown = np.asarray(viewer.layers["dividing nuclei: objects"].data)
    for frame in (0, 15, 29):
        np.testing.assert_array_equal(shown[frame], session.labels(frame))


def test_without_an_image_it_says_so(new_viewer: Callable[[], Any]) -> None:
    from napari_sam2 import Sam2Error, attach

    with pytest.raises(Sam2Error, match="no image"):
        attach(new_viewer())
