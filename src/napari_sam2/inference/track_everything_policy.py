"""Every threshold of following all objects, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.divisions import DivisionPolicy
from napari_sam2.inference.policy import TrackingPolicy


@dataclass(frozen=True, slots=True)
class TrackEverythingPolicy:
    """How all objects are followed.

    Attributes
    ----------
    every
        New objects are looked for on every so many-th frame.
    same
        What was found is what is tracked if they overlap (intersection over union) by so much.
    covered
        Of what was found and matches nothing, this share at most lies in tracked objects: else it is a part.
    renew
        What is tracked becomes what was found where both overlap by so much: the network carries a mask on a
        coarse grid, and drifts. Where they overlap by less, one of them is wrong: the one whose area is
        nearer to what it was stays. Above 1: what is tracked always stays.
    lost_after
        An object that was not seen on so many frames in a row has ended.
    doubted_after
        And one that so many looks in a row did not find.
    least_area
        Smaller masks, in pixels, are not seen.
    division
        What counts as a division; None for none.
    tracking
        How one object is followed.
    """

    every: int = 1
    same: float = 0.3
    covered: float = 0.5
    renew: float = 0.7
    lost_after: int = 2
    doubted_after: int = 2
    least_area: int = 8
    division: DivisionPolicy | None = field(default_factory=DivisionPolicy)
    tracking: TrackingPolicy = field(default_factory=lambda: TrackingPolicy(max_cond_frames_in_attn=2))

    def __post_init__(self) -> None:
        for name in ("every", "lost_after", "doubted_after", "least_area"):
            if getattr(self, name) < 1:
                raise Sam2Error(f"{name} is 1 or more, got {getattr(self, name)}.")
        if not self.renew >= 0:
            raise Sam2Error(f"renew is 0 or more, got {self.renew}.")
        for name in ("same", "covered"):
            if not 0 < getattr(self, name) <= 1:
                raise Sam2Error(f"{name} is a share above 0, up to 1, got {getattr(self, name)}.")
