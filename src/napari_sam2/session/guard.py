"""When propagation of an object had better stop."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.session.shape import Shape


@dataclass(frozen=True, slots=True)
class LeakGuard:
    """Stops an object where its mask jumps: what follows would be another object, or the background.

    Attributes
    ----------
    growth
        The mask may grow to so many times its area from one frame to the next; 0 for any.
    shift
        Its centre may move by so many of its diameters; 0 for any.
    """

    growth: float = 4.0
    shift: float = 2.0

    def __post_init__(self) -> None:
        for name in ("growth", "shift"):
            value = getattr(self, name)
            if not isfinite(value) or value < 0:
                raise Sam2Error(f"{name} of the leak guard is a number from 0 (off) on, got {value}.")

    @classmethod
    def along(cls, frame_axis: str) -> LeakGuard:
        """Return the default along T or Z.

        Through time, objects keep their size. Through depth, the cap of an object may grow tenfold from one
        slice to the next, so nothing is taken for a leak there.
        """
        return cls() if frame_axis == "T" else cls(growth=0.0, shift=0.0)

    def stops(self, before: RunLengths, after: RunLengths) -> bool:
        """Whether a mask jumps from one frame to the next; one that appears or disappears does not."""
        old, new = Shape.of(before), Shape.of(after)
        if not old.area or not new.area:
            return False
        grows = bool(self.growth) and new.growth(old) > self.growth
        return grows or (bool(self.shift) and new.shift(old) > self.shift)
