"""What a user says about one object on one frame. Coordinates are (y, x) in pixels of the original image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import isfinite
from typing import Any

from napari_sam2.errors import PromptError

ObjectId = int
FrameIndex = int


class Direction(Enum):
    """Which way masks are carried through a sequence."""

    FORWARD = "forward"
    BACKWARD = "backward"

    @property
    def step(self) -> int:
        """+1 or -1: the next frame minus this one."""
        return 1 if self is Direction.FORWARD else -1


@dataclass(frozen=True, slots=True)
class Click:
    """A point on the object (positive) or beside it (negative).

    Pixel centres lie on whole numbers: ``Click(0, 0)`` is the middle of the first pixel.
    """

    y: float
    x: float
    positive: bool = True

    def __post_init__(self) -> None:
        if not (isfinite(self.y) and isfinite(self.x)):
            raise PromptError(f"A click needs finite coordinates, got y={self.y}, x={self.x}.")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle round the object, from the upper left (y0, x0) to the lower right (y1, x1)."""

    y0: float
    x0: float
    y1: float
    x1: float

    def __post_init__(self) -> None:
        if not all(isfinite(v) for v in (self.y0, self.x0, self.y1, self.x1)):
            raise PromptError(f"A box needs finite coordinates, got {self}.")
        if self.y1 <= self.y0 or self.x1 <= self.x0:
            raise PromptError(
                f"The box (y0={self.y0}, x0={self.x0}, y1={self.y1}, x1={self.x1}) is empty: "
                "give the upper left corner first, then the lower right one."
            )


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrompt:
    """A mask drawn or computed elsewhere.

    Parameters
    ----------
    mask
        Boolean array (H, W) at the size of the image. It is not copied.
    """

    mask: Any

    def __post_init__(self) -> None:
        if getattr(self.mask, "ndim", None) != 2:
            raise PromptError(
                f"A mask prompt is one image (H, W), got shape {getattr(self.mask, 'shape', None)}."
            )


@dataclass(frozen=True, slots=True)
class PromptSet:
    """All prompts of one object on one frame: clicks and a box, or a mask alone."""

    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    mask: MaskPrompt | None = None

    def __post_init__(self) -> None:
        if self.mask is not None and (self.clicks or self.box is not None):
            raise PromptError("A mask prompt stands alone: give either a mask, or clicks and a box.")

    def __bool__(self) -> bool:
        return bool(self.clicks) or self.box is not None or self.mask is not None

    def with_click(self, click: Click) -> PromptSet:
        """Return these prompts and one click more; a mask gives way to clicks."""
        return replace(self, clicks=(*self.clicks, click), mask=None)
