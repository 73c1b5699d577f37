"""Where lines, numbers and pointers lie in the review strip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.plugin.confidence_curve import Curve
from napari_sam2.plugin.strip_scale import Scale, Spot, lines, nearest, ticks
from napari_sam2.session.objects import FrameMask

RUNS = RunLengths.encode(np.ones((2, 2), bool))


def curve(values: dict[int, float]) -> Curve:
    return Curve.of({frame: FrameMask(RUNS, value) for frame, value in values.items()}, ())


@given(st.integers(1, 3000), st.floats(10, 2000), st.data())
def test_a_frame_is_found_where_it_is_drawn(frames: int, width: float, data: st.DataObject) -> None:
    scale = Scale(frames, 20, 8, width, 80)
    frame = data.draw(st.integers(0, frames - 1))
    assert scale.frame(scale.x(frame)) == frame
    assert scale.frame(-100) == 0
    assert scale.frame(1e6) == frames - 1


def test_lines_break_where_masks_are_missing() -> None:
    scale = Scale(10, 0, 0, 100, 100)
    found = lines(curve({0: 1.0, 1: 0.5, 4: 0.0, 6: 0.25, 7: 0.25}), scale)
    assert [part.tolist() for part in found] == [
        [[5, 0], [15, 50]],
        [[45, 100]],
        [[65, 75], [75, 75]],
    ]
    assert lines(curve({}), scale) == []


def test_of_many_frames_the_worst_shows() -> None:
    scale = Scale(1000, 0, 0, 100, 100)
    values = dict.fromkeys(range(1000), 0.9)
    values[505] = 0.1
    del values[700], values[701]
    found = lines(curve(values), scale)
    assert len(found) == 2
    together = np.concatenate(found)
    assert 100 <= len(together) <= 101  # the broken column may appear in both parts
    assert together[:, 1].max() == pytest.approx(90)
    assert together[together[:, 1].argmax(), 0] == 50
    assert (np.diff(found[0][:, 0]) > 0).all()


@pytest.mark.parametrize(
    ("y", "x", "current", "meant"),
    [(12, 5, 1, 1), (48, 5, 1, 2), (30, 5, 1, 1), (30, 5, 3, None), (48, 95, 1, None), (50, 15, 2, 2)],
)
def test_whose_line_is_meant(y: float, x: float, current: int, meant: int | None) -> None:
    curves = {1: curve({0: 0.9, 1: 0.5}), 2: curve({0: 0.5, 1: 0.5})}
    assert nearest(curves, Spot(x, y), Scale(10, 0, 0, 100, 100), current) == meant


@pytest.mark.parametrize(
    ("frames", "room", "shown"),
    [
        (0, 5, ()),
        (1, 5, (0,)),
        (5, 9, (0, 1, 2, 3, 4)),
        (12, 8, (0, 2, 4, 6, 8, 11)),
        (30, 6, (0, 10, 20, 29)),
        (1000, 6, (0, 200, 400, 600, 800, 999)),
        (30, 2, (0, 29)),
    ],
)
def test_numbers_along_the_bottom(frames: int, room: int, shown: tuple[int, ...]) -> None:
    assert ticks(frames, room) == shown


@given(st.integers(2, 5000), st.integers(2, 20))
def test_numbers_have_room(frames: int, room: int) -> None:
    shown = ticks(frames, room)
    assert len(shown) <= room
    assert (shown[0], shown[-1]) == (0, frames - 1)
    assert list(shown) == sorted(set(shown))
