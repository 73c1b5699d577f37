"""Where a body ends along an axis although the network goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, pi, sqrt

from napari_sam2.errors import Sam2Error


@dataclass(frozen=True, slots=True)
class SliceShape:
    """What a body is like on one slice: its area in pixels of the frame, and its score, 0 to 1."""

    area: float
    score: float


@dataclass(frozen=True, slots=True)
class BodyGuard:
    """Tells from the areas and scores on the way out from a prompt that a body has come to its end.

    Where one body lies on another, masks shrink towards the place where they touch, and grow again beyond:
    at such a waist the body is cut. That suits nuclei; a neuron with thin and thick parts would be cut.

    Attributes
    ----------
    waist
        A body that has become narrower by a quarter is cut where it is narrowest, as soon as its area has
        grown to so many times that again; 0: never.
    faint
        It has ended where its score is below this share of the highest one on the way; 0: never.
    longest
        It is followed for so many diameters of its mask on the prompted slice, either way; 0: without end.
        0.5 is a ball, clicked in the middle.
    """

    waist: float = 1.1
    faint: float = 0.6
    longest: float = 0.0

    def __post_init__(self) -> None:
        if not (isfinite(self.waist) and (self.waist == 0 or self.waist > 1)):
            raise Sam2Error(f"waist is 0 for never, or a growth above 1, got {self.waist}.")
        if not 0 <= self.faint <= 1:
            raise Sam2Error(f"faint is a share from 0 to 1, got {self.faint}.")
        if not (isfinite(self.longest) and self.longest >= 0):
            raise Sam2Error(f"longest is a number of diameters from 0 (without end) on, got {self.longest}.")

    @classmethod
    def off(cls) -> BodyGuard:
        """Return a guard that lets everything pass."""
        return cls(0.0, 0.0, 0.0)

    def end(self, way: Sequence[SliceShape], step: float = 1.0) -> int | None:
        """Return how many slices of a way belong to the body; None while it goes on.

        Parameters
        ----------
        way
            From the prompted slice outwards, up to the newest one.
        step
            Distance of two slices in units of a frame's pixel.
        """
        areas, newest = [one.area for one in way], len(way) - 1
        # The prompted slice is found in another way, and its score is no measure for the others.
        best = max((one.score for one in way[1:]), default=0.0)
        if newest and (not areas[newest] or way[newest].score < self.faint * best):
            return newest
        if self.longest and newest * step > self.longest * 2 * sqrt(areas[0] / pi):
            return newest
        if self.waist:
            narrowest = min(range(len(areas)), key=areas.__getitem__)
            narrowed = areas[narrowest] < NARROWER * max(areas[: narrowest + 1])
            if narrowed and areas[newest] > self.waist * areas[narrowest]:
                return narrowest + 1
        return None


NARROWER = 0.75
"""A waist is narrower than so much of the largest area before it: outlines tremble from slice to slice."""
