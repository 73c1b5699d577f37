"""Where things lie in the review strip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_sam2.plugin.confidence_curve import Curve
from napari_sam2.prompts import FrameIndex, ObjectId

# How far from a line, in pixels, the pointer still means it.
REACH = 10.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A point in a widget, in pixels."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Scale:
    """Frames from left to right, confidence from the bottom up.

    Attributes
    ----------
    frames
        How many there are.
    left, top, width, height
        What they lie in, in pixels.
    """

    frames: int
    left: float
    top: float
    width: float
    height: float

    def x(self, frame: float) -> float:
        """Return the middle of a frame."""
        return self.left + (frame + 0.5) * self.width / max(self.frames, 1)

    def y(self, value: float) -> float:
        """Return the height of a confidence, 0 to 1."""
        return self.top + (1 - value) * self.height

    def frame(self, x: float) -> FrameIndex:
        """Return the frame at a place; beyond the ends, the first or last one."""
        at = int((x - self.left) * self.frames / max(self.width, 1.0))
        return min(max(at, 0), max(self.frames - 1, 0))


def lines(curve: Curve, scale: Scale) -> list[npt.NDArray[np.float64]]:
    """Return a curve as lines, (n, 2) x and y each, broken where frames have no mask.

    Where several frames share a pixel column, the worst of them is drawn: a doubt must not hide.
    """
    if not curve.levels:
        return []
    frames = np.fromiter(curve.levels, np.int64, len(curve.levels))
    levels = np.fromiter(curve.levels.values(), np.float64, len(curve.levels))
    columns = scale.left + (frames + 0.5) * scale.width / scale.frames
    gaps = np.diff(frames) > 1
    if scale.frames > scale.width:
        columns = np.floor(columns)
        begins = np.flatnonzero(np.concatenate(([True], gaps | (np.diff(columns) > 0))))
        levels = np.minimum.reduceat(levels, begins)
        gaps = np.concatenate(([False], gaps))[begins][1:]
        columns = columns[begins]
    spots = np.stack((columns, scale.top + (1 - levels) * scale.height), 1)
    return np.split(spots, np.flatnonzero(gaps) + 1)


def nearest(curves: Mapping[ObjectId, Curve], spot: Spot, scale: Scale, current: ObjectId) -> ObjectId | None:
    """Return the object whose line is meant by a place: the closest one within reach, else the current one.

    Between equals the current one; None where neither has anything on that frame.
    """
    frame = scale.frame(spot.x)
    found = {
        number: abs(scale.y(curve.levels[frame]) - spot.y)
        for number, curve in curves.items()
        if frame in curve.levels
    }
    close = [number for number, distance in found.items() if distance <= REACH]
    if close:
        return min(close, key=lambda number: (found[number], number != current, number))
    return current if current in found else None


def ticks(frames: int, room: int) -> tuple[FrameIndex, ...]:
    """Return the frames to write numbers under: round ones, the first and the last.

    Parameters
    ----------
    frames
        How many there are.
    room
        How many numbers fit.
    """
    if frames < 2 or room < 2:
        return (0,) if frames else ()
    last = frames - 1
    unit = 1
    while True:
        for factor in (1, 2, 5):
            step = unit * factor
            if last / step <= room - 1:
                round_ones = [frame for frame in range(0, last, step) if last - frame > step * 0.6]
                return (*(round_ones or [0]), last)
        unit *= 10
