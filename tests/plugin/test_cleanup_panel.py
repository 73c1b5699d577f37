"""The clean-up section: what it offers, and what it asks for."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.cleanup import CleanUp, clean
from napari_sam2.model.sam2 import SAM2
from napari_sam2.session.session import Session
from tests.conftest import seed_weights
from tests.plugin.recording import RecordingBridge, disc, end, make_session, need_qt, taken_back


@pytest.fixture(scope="module")
def session(small_model: SAM2) -> Iterator[Session]:
    need_qt()
    lively = copy.deepcopy(small_model)
    seed_weights(lively, 8)
    session = make_session(lively)
    session.prompt(0, 4, mask=disc(40, 50) | disc(5, 30, 1))
    session.prompt(1, 4, mask=disc(40, 40) | disc(5, 30, 1))
    yield session
    session.close()


@pytest.fixture
def bridge(session: Session) -> Iterator[Any]:
    from napari.components import ViewerModel

    from napari_sam2.plugin.layer_axes import LayerAxes

    with taken_back(session) as lent:
        made: Any = RecordingBridge(lent)
        made.choose_object(4)
        made.viewer = ViewerModel()
        made.image = made.viewer.add_image(np.zeros((8, 48, 56), np.uint16), name="cells")
        made.axes = LayerAxes.of("TYX", (8, 48, 56))
        made.choose_tool = made.asked.append
        yield made


@pytest.fixture
def panel(bridge: Any) -> Any:
    from napari_sam2.plugin.cleanup_panel import CleanupPanel

    made = CleanupPanel(bridge)
    made.show()
    yield made
    end(made)


def choose(panel: Any, tool: CleanUp, objects: int = 0, frames: int = 0) -> None:
    panel.tool.setCurrentIndex(panel.tool.findData(tool))
    panel.objects.setCurrentIndex(objects)
    panel.frames.setCurrentIndex(frames)


def masks(session: Session, number: int) -> list[np.ndarray]:
    return [mask.runs.decode() for mask in session.masks(number).values()]


def test_this_object_on_this_frame(panel: Any, bridge: Any, session: Session) -> None:
    before = masks(session, 4)
    choose(panel, CleanUp.KEEP_LARGEST)
    panel.clean_button.click()
    after = masks(session, 4)
    assert np.array_equal(after[0], clean(before[0], CleanUp.KEEP_LARGEST))
    assert np.array_equal(after[1], before[1])
    assert bridge.said[-1] == "Keep largest piece: done."


def test_all_objects_on_all_frames(panel: Any, session: Session) -> None:
    choose(panel, CleanUp.REMOVE_SMALL, 1, 1)
    panel.size.setValue(10)
    steps = len(session.steps)
    panel.clean_button.click()
    assert [int(mask.sum()) for mask in masks(session, 4)] == [
        int(disc(40, 50).sum()),
        int(disc(40, 40).sum()),
    ]
    assert len(session.steps) == steps + 1
    assert session.objects.keys() == {1, 2, 3, 4}


def test_every_tool_has_its_size(panel: Any) -> None:
    shown = {}
    for tool in CleanUp:
        choose(panel, tool)
        shown[tool] = (panel.size.isEnabled(), panel.size.text())
    assert shown == {
        CleanUp.FILL_HOLES: (True, "any size"),
        CleanUp.KEEP_LARGEST: (False, "0.0"),
        CleanUp.SMOOTH: (True, "2.0"),
        CleanUp.REMOVE_SMALL: (True, "20.0"),
        CleanUp.REMOVE_BORDER: (True, "0.0"),
    }


def test_nothing_to_clean_is_said(panel: Any) -> None:
    choose(panel, CleanUp.FILL_HOLES)
    with pytest.raises(PromptError, match="nothing to fill holes here"):
        panel.clean()


def test_holes_of_any_size_or_of_some(bridge: Any, panel: Any, session: Session) -> None:
    ring = disc(24, 28, 12) & ~disc(24, 28, 4)
    session.prompt(3, 4, mask=ring)
    bridge.show_frame(3)
    choose(panel, CleanUp.FILL_HOLES)
    panel.size.setValue(5)
    with pytest.raises(PromptError, match="nothing"):
        panel.clean()
    panel.size.setValue(0)
    panel.clean_button.click()
    assert np.array_equal(session.masks(4)[3].runs.decode(), disc(24, 28, 12))


def test_what_is_committed_is_refused_with_a_reason(panel: Any, bridge: Any, session: Session) -> None:
    session.commit(4)
    bridge.renew()
    assert not panel.clean_button.isEnabled()
    assert "committed" in panel.clean_button.toolTip()
    choose(panel, CleanUp.SMOOTH, objects=1)
    assert panel.clean_button.isEnabled(), "all objects leaves it alone"
    assert not panel.cut_button.isEnabled()
    bridge.status = replace(bridge.status, masks=False)
    bridge.events.status_changed.emit(bridge.status)
    assert "no mask yet" in panel.clean_button.toolTip()


def test_depth_speaks_of_slices_and_keeps_the_choice(panel: Any, bridge: Any) -> None:
    panel.frames.setCurrentIndex(1)
    bridge.events.status_changed.emit(replace(bridge.status, along="Z"))
    assert panel.frames.currentText() == "all slices"


def test_renumbering_keeps_the_current_object(panel: Any, bridge: Any, session: Session) -> None:
    session.delete(2)
    bridge.renew()
    panel.renumber_button.click()
    assert sorted(session.objects) == [1, 2, 3]
    assert bridge.status.object_id == 3


def test_a_stroke_cuts_and_does_not_stay(panel: Any, bridge: Any, session: Session) -> None:
    from qtpy.QtWidgets import QApplication

    panel.cut_button.click()
    layer = bridge.viewer.layers["cells: cut"]
    assert (layer.mode, bridge.viewer.layers.selection.active) == ("add_line", layer)
    layer.add(np.array([[2, 30, 12], [2, 2, 12]]), shape_type="line")
    QApplication.processEvents()
    assert (layer.visible, len(layer.data), panel.cut_button.isChecked()) == (False, 0, False)
    assert bridge.asked == [bridge.status.tool]
    # Object 4 is chosen, but the stroke runs over object 1 alone.
    assert set(session.objects) == {1, 2, 3, 4, 5}
    one, other = (session.masks(number)[2].runs.decode() for number in (1, 5))
    assert np.array_equal(one | other, disc(10, 12))


def test_a_cut_is_given_up(panel: Any, bridge: Any, session: Session) -> None:
    from qtpy.QtWidgets import QApplication

    panel.cut_button.click()
    (layer,) = [one for one in bridge.viewer.layers if one is not bridge.image]
    panel.cut_button.click()
    assert (layer.visible, panel.cut_button.isChecked()) == (False, False)
    panel.cut_button.click()
    assert layer.visible, "the same layer again"
    layer.add(np.array([[2, 10, 12], [2, 10.2, 12]]), shape_type="line")
    QApplication.processEvents()
    assert not panel.cut_button.isChecked(), "a mere click cuts nothing"
    panel.cut_button.click()
    bridge.events.image_changed.emit()
    assert not layer.visible
    assert len(session.objects) == 4
    bridge.viewer.layers.remove(layer)
    panel.cut_button.click()
    assert "cells: cut" in bridge.viewer.layers, "made anew where somebody deleted it"


@pytest.mark.parametrize(
    ("stroke", "current", "meant"),
    [
        (((0, 0), (0, 9)), 7, 7),
        (((2, 0), (2, 9)), 7, 3),
        (((2, 0), (2, 9)), 2, 2),
        (((-5, 1), (9, 1)), 7, 2),
        (((2, -9), (2, 30)), 7, 3),
    ],
)
def test_which_object_a_stroke_is_meant_for(
    stroke: tuple[tuple[float, float], ...], current: int, meant: int
) -> None:
    need_qt()
    from napari_sam2.plugin.cut_layer import object_under

    labels = np.zeros((5, 10), np.uint16)
    labels[2:4, 1:3], labels[2:4, 4:9] = 2, 3
    assert object_under(labels, stroke, current) == meant
