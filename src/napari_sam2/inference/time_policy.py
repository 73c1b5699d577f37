"""How bodies are carried from one volume to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import isfinite

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.body import Body
from napari_sam2.inference.daughters import DaughterPolicy
from napari_sam2.prompts import FrameIndex


class KeySlice(Enum):
    """Which slice of a body is carried to the next volume."""

    LARGEST = "largest"
    MIDDLE = "middle"


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """How bodies are carried from one volume to the next.

    Attributes
    ----------
    key
        The slice of largest area, or the one of the centre of mass.
    moves
        A body goes no farther than this share of its radius from where it was: what lies beyond has leaked,
        and is cut off. 0: anywhere.
    steady
        A body that is smaller than this share of what it was is looked for once more, by a click in the
        middle of where it was; the finding that overlaps better with that place is kept. 0: never.
    division
        When a body has divided; None: never.
    """

    key: KeySlice = KeySlice.LARGEST
    moves: float = 0.5
    steady: float = 0.7
    division: DaughterPolicy | None = field(default_factory=DaughterPolicy)

    def __post_init__(self) -> None:
        if not (isfinite(self.moves) and self.moves >= 0):
            raise Sam2Error(f"moves is a share of the radius from 0 (anywhere) on, got {self.moves}.")
        if not 0 <= self.steady <= 1:
            raise Sam2Error(f"steady is a share from 0 to 1, got {self.steady}.")


def key_slice(body: Body, key: KeySlice) -> FrameIndex:
    """Return the slice of a body that stands for it; it holds a mask."""
    if key is KeySlice.LARGEST:
        return max(body.masks, key=lambda at: body.masks[at].area)
    middle = body.middle().z
    return min(body.masks, key=lambda at: abs(at - middle))
