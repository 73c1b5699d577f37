"""Whatever users do to layers and windows, nothing breaks and nothing is lost; errors are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.plugin.test_window import SCENE, Desk, middle, overlap


@pytest.fixture
def desk(new_viewer: Callable[[], Any]) -> Desk:
    return Desk(new_viewer())


@pytest.fixture
def notices(desk: Desk) -> Iterator[list[str]]:
    from napari.utils.notifications import notification_manager

    told: list[str] = []
    heard = notification_manager.notification_ready.connect(lambda notice: told.append(notice.message))
    yield told
    notification_manager.notification_ready.disconnect(heard)


def test_layers_may_be_deleted_renamed_and_reordered(desk: Desk) -> None:
    sitting = desk.bridge.sitting
    desk.click(0, 1)
    sitting.label_layer.layer.name = "mine"
    desk.viewer.layers.move(0, 3)
    desk.viewer.layers.remove(sitting.prompt_layers.points)
    desk.visitor.push(desk.dock, "Point")
    assert len(sitting.prompt_layers.points.data) == 1
    assert sitting.prompt_layers.points in desk.viewer.layers
    desk.visitor.press("N")
    desk.viewer.layers.remove(sitting.label_layer.layer)
    desk.viewer.layers.selection.active = sitting.prompt_layers.points
    desk.click(0, 2)
    desk.visitor.rest(0.3)
    assert sitting.label_layer.layer in desk.viewer.layers
    assert set(np.unique(np.asarray(sitting.label_layer.layer.data)[0])) == {0, 1, 2}
    assert [len(desk.bridge.session.prompts(key)) for key in (1, 2)] == [1, 1]


def test_the_window_may_be_closed_in_mid_propagation(
    desk: Desk, new_viewer: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.click(0, 1)
    desk.visitor.press("G")
    desk.visitor.wait(lambda: desk.bridge.status.done >= 2)
    desk.viewer.close()
    desk.visitor.rest(0.3)
    later = Desk(new_viewer())
    later.visitor.push(later.dock, "Restore the earlier session")
    later.visitor.wait(lambda: bool(later.bridge.session is not None and later.bridge.session.steps))
    reached = len(later.masks(1))
    assert 2 <= reached < 12
    later.visitor.press("Shift-R")
    later.visitor.wait(lambda: later.bridge.status.running)
    later.settle()
    assert len(later.masks(1)) == 12


def test_removing_the_image_ends_its_session(desk: Desk) -> None:
    desk.click(0, 1)
    desk.viewer.layers.remove(desk.image)
    desk.visitor.rest(0.2)
    assert desk.bridge.session is None
    assert desk.bridge.status.image is None
    assert not len(desk.viewer.layers)


def test_a_box_a_polygon_and_a_stroke(desk: Desk) -> None:
    visitor, bridge = desk.visitor, desk.bridge
    rows, columns = np.nonzero(SCENE.labels[0] == 1)
    visitor.push(desk.dock, "Box")
    visitor.drag(
        desk.image,
        [
            (0, rows.min() - 1, columns.min() - 1),
            (0, rows.mean(), columns.mean()),
            (0, rows.max() + 1, columns.max() + 1),
        ],
    )
    visitor.wait(lambda: 1 in bridge.session.objects and 0 in bridge.session.masks(1))
    assert bridge.session.prompts(1)[0].box is not None
    assert overlap(desk.masks(1)[0], SCENE.labels[0] == 1) > 0.6

    visitor.press("N")
    visitor.push(desk.dock, "Polygon")
    _, y, x = middle(0, 2)
    around = [(0, y + 8 * np.sin(a), x + 8 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 24)]
    visitor.drag(desk.image, around)
    visitor.wait(lambda: 2 in bridge.session.objects and 0 in bridge.session.masks(2))
    assert bridge.session.masks(2)[0].painted
    disc = np.hypot(*np.meshgrid(np.arange(128) - y, np.arange(128) - x, indexing="ij")) < 8
    assert overlap(desk.masks(2)[0], disc) > 0.7
    assert len(bridge.sitting.prompt_layers.shapes.data) == 1  # the box; the polygon became a mask

    visitor.press("N")
    visitor.push(desk.dock, "Paint")
    bridge.sitting.label_layer.layer.brush_size = 6
    _, y, x = middle(0, 3)
    visitor.drag(desk.image, [(0, y, x + step) for step in range(-4, 5, 2)])
    visitor.wait(lambda: 3 in bridge.session.objects and 0 in bridge.session.masks(3))
    assert bridge.session.masks(3)[0].painted
    visitor.rest(0.3)
    painted = desk.masks(3)[0]
    assert painted[round(y), round(x)]
    visitor.press("Control-Z")
    visitor.wait(lambda: 3 not in bridge.session.objects)
    visitor.rest(0.3)
    assert not (np.asarray(bridge.sitting.label_layer.layer.data)[0] == 3).any()


def test_a_layer_of_the_user_is_adopted(desk: Desk) -> None:
    points = desk.viewer.add_points([middle(0, 1), middle(0, 2)], name="mine")
    points.features = {"object_id": [4, 7]}
    desk.bridge.adopt(points)
    desk.visitor.wait(lambda: all(key in desk.bridge.session.objects for key in (4, 7)))
    desk.visitor.wait(lambda: 0 in desk.bridge.session.masks(7))
    assert overlap(desk.masks(7)[0], SCENE.labels[0] == 2) > 0.6


def test_a_full_disk_is_told_and_work_goes_on(
    desk: Desk, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sam2.errors import StorageError
    from napari_sam2.session.autosave import Autosave

    def full(self: Autosave, *_: Any) -> None:
        raise StorageError("The disk is full: free some space.")

    monkeypatch.setattr(Autosave, "note", full)
    desk.click(0, 1)
    desk.visitor.wait(lambda: any("disk is full" in one for one in notices))
    desk.visitor.press("N")
    desk.click(0, 2)
    assert set(desk.bridge.session.objects) == {1, 2}


def test_an_image_of_nan_is_told(desk: Desk, notices: list[str]) -> None:
    broken = desk.viewer.add_image(np.full((3, 32, 32), np.nan, np.float32), name="broken")
    desk.bridge.choose_image(broken)
    desk.visitor.wait(lambda: desk.bridge.session is not None)
    desk.visitor.click(broken, (0, 16, 16))
    desk.visitor.wait(lambda: any("NaN" in one for one in notices))
    desk.bridge.choose_image(desk.image)
    desk.visitor.wait(lambda: desk.bridge.session is not None)
    desk.click(0, 1)
    assert desk.masks(1)[0].any()


def test_no_weights_and_no_network_is_told(
    desk: Desk, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sam2.io.registry import CHECKPOINTS, Checkpoint

    name = "sam2.1_hiera_tiny"
    monkeypatch.setitem(CHECKPOINTS, name, Checkpoint(name, "http://127.0.0.1:9/tiny.pt"))
    desk.bridge.choose(model=name)
    desk.visitor.wait(lambda: desk.bridge.session is not None)
    desk.visitor.click(desk.image, middle(0, 1))
    desk.visitor.wait(lambda: any("tiny.pt" in one for one in notices))
    desk.visitor.rest(0.3)
    assert not len(desk.bridge.sitting.prompt_layers.points.data)  # nothing is shown that is not so
    desk.bridge.choose(model="nano")
    desk.visitor.wait(lambda: desk.bridge.session is not None)
    desk.click(0, 1)


def test_running_out_of_memory_halves_the_objects(
    desk: Desk, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from napari_sam2.inference.frame_step import FrameStep

    for label in (1, 2, 3, 4):
        desk.click(0, label)
        desk.visitor.press("N")
    follow = FrameStep.follow

    def narrow(self: FrameStep, state: Any, frame: int, tracks: Any, selections: Any) -> None:
        if len(tracks) > 1:
            raise torch.OutOfMemoryError("not enough memory: you tried to allocate 1000 GB")
        follow(self, state, frame, tracks, selections)

    monkeypatch.setattr(FrameStep, "follow", narrow)
    desk.visitor.press("G")
    desk.visitor.wait(lambda: desk.bridge.status.running)
    desk.settle()
    assert all(len(desk.masks(key)) == 12 for key in (1, 2, 3, 4))
    assert any("Memory is short" in one for one in notices)


def test_nothing_to_do_is_said(desk: Desk) -> None:
    desk.visitor.press("G")
    assert "Click an object first" in desk.bridge.status.message
    desk.visitor.press("W")
    assert "no mask" in desk.bridge.status.message
