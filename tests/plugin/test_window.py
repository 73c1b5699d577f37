"""The user's first hour, in the real window with real mouse and key events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.imaging.phantoms import moving_nuclei

SCENE = moving_nuclei(frames=12, height=128, width=128, objects=4, divisions=0, radius=10.0, seed=4)


def middle(frame: int, label: int) -> tuple[float, float, float]:
    """A pixel well inside a nucleus, in data coordinates."""
    places = np.argwhere(SCENE.labels[frame] == label)
    y, x = places[np.argmin(((places - places.mean(0)) ** 2).sum(1))]
    return frame, float(y), float(x)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


class Desk:
    """A window with an image and the dock, and somebody at it."""

    def __init__(self, viewer: Any, image: Any = None, **options: Any) -> None:
        from napari_sam2.plugin.segment_dock import SegmentDock
        from tests.plugin.visitor import Visitor

        self.viewer = viewer
        self.image = viewer.add_image(SCENE.images if image is None else image, name="nuclei", **options)
        for axis in range(viewer.dims.ndim - 2):
            viewer.dims.set_current_step(axis, 0)
        self.dock = SegmentDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="SAM 2")
        self.bridge = self.dock.bridge
        self.visitor = Visitor(viewer)
        self.visitor.wait(lambda: self.bridge.session is not None)
        self.visitor.rest(0.3)

    def masks(self, object_id: int) -> dict[int, np.ndarray]:
        masks = self.bridge.session.masks(object_id)
        return {frame: mask.runs.decode() for frame, mask in masks.items()}

    def click(self, frame: int, label: int, modifiers: str = "") -> None:
        before = len(self.bridge.session.steps)
        self.visitor.click(self.image, middle(frame, label), modifiers)
        self.visitor.wait(lambda: len(self.bridge.session.steps) > before, 20)

    def settle(self) -> None:
        self.visitor.wait(lambda: not self.bridge.status.running)
        self.visitor.rest(0.2)


@pytest.fixture
def desk(new_viewer: Callable[[], Any]) -> Desk:
    return Desk(new_viewer())


def test_from_a_click_to_exported_labels(
    desk: Desk, new_viewer: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    from napari_sam2.session.session import Session

    visitor, bridge = desk.visitor, desk.bridge

    # Click a cell: its mask is there, in the session and in the layer.
    desk.click(0, 1)
    assert overlap(desk.masks(1)[0], SCENE.labels[0] == 1) > 0.7
    visitor.rest(0.2)
    shown = bridge.sitting.label_layer.layer
    np.testing.assert_array_equal(np.asarray(shown.data)[0] == 1, desk.masks(1)[0])
    assert len(bridge.sitting.prompt_layers.points.data) == 1

    # The next one; a click too many is taken back, and done again.
    visitor.press("N")
    desk.click(0, 2)
    assert set(bridge.session.objects) == {1, 2}
    visitor.press("Control-Z")
    visitor.wait(lambda: set(bridge.session.objects) == {1})
    visitor.wait(lambda: len(bridge.sitting.prompt_layers.points.data) == 1)
    visitor.press("Control-Shift-Z")
    visitor.wait(lambda: set(bridge.session.objects) == {1, 2})

    # Follow both, stop on the way, go on.
    visitor.press("G")
    visitor.wait(lambda: bridge.status.done >= 3)
    visitor.press("Escape")
    desk.settle()
    assert bridge.status.unfinished
    reached = len(desk.masks(1))
    assert 3 <= reached < 12
    visitor.press("Shift-R")
    visitor.wait(lambda: bridge.status.running)
    desk.settle()
    assert sorted(desk.masks(1)) == sorted(desk.masks(2)) == list(range(12))

    # Correct a frame: from there on it is followed anew; before, nothing changes.
    before = {frame: mask.copy() for frame, mask in desk.masks(2).items()}
    bridge.choose_object(2)
    bridge.show_frame(7)
    visitor.rest(0.2)
    assert bridge.status.frame == 7
    away = np.argwhere(desk.masks(2)[7])[0]
    visitor.click(desk.image, (7, *away), "Shift")
    visitor.wait(lambda: 7 in bridge.session.prompts(2))
    assert [click.positive for click in bridge.session.prompts(2)[7].clicks] == [False]
    assert not np.array_equal(desk.masks(2)[7], before[7])
    visitor.press("G")
    visitor.wait(lambda: bridge.status.running)
    desk.settle()
    corrected = desk.masks(2)
    assert all(np.array_equal(corrected[frame], before[frame]) for frame in range(7))
    for _ in range(2):
        visitor.press("Control-Z")
        visitor.rest(0.3)
    visitor.wait(lambda: np.array_equal(desk.masks(2)[7], before[7]))
    for _ in range(2):
        visitor.press("Control-Shift-Z")
        visitor.rest(0.3)
    visitor.wait(lambda: np.array_equal(desk.masks(2)[11], corrected[11]))

    # A division: the mother ends, the daughters are clicked.
    bridge.choose_object(1)
    bridge.show_frame(9)
    visitor.rest(0.2)
    visitor.press("Shift-D")
    visitor.wait(lambda: len(bridge.session.lineage) == 2)
    assert max(desk.masks(1)) == 8
    desk.click(9, 3)
    visitor.press("N")
    assert set(bridge.session.lineage) == {3, 4}

    # Save, and what the window shows is what a replay gives.
    saved = tmp_path / "nuclei.sam2.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(saved), ""))
    visitor.push(desk.dock, "Save")
    visitor.wait(saved.exists)
    visitor.rest(0.3)
    labels = np.asarray(shown.data).copy()
    again = Session.load(saved, SCENE.images)
    replayed = again.fresh()
    for step in again.steps:
        replayed.repeat(step)
    for frame in range(12):
        np.testing.assert_array_equal(replayed.labels(frame), labels[frame])

    # Close, reopen: the session is offered, and taken up with nothing lost.
    desk.viewer.close()
    visitor.rest(0.5)
    later = Desk(new_viewer())
    assert later.bridge.status.restorable
    later.visitor.push(later.dock, "Restore the earlier session")
    later.visitor.wait(lambda: later.bridge.session is not None and bool(later.bridge.session.steps))
    later.visitor.rest(0.5)
    np.testing.assert_array_equal(np.asarray(later.bridge.sitting.label_layer.layer.data), labels)

    # Export.
    target = tmp_path / "labels.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    later.visitor.push(later.dock, "Export")
    later.visitor.wait(target.exists)
    later.visitor.rest(0.3)
    import tifffile

    np.testing.assert_array_equal(tifffile.imread(target), labels)
