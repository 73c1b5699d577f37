"""Every threshold of looking for all objects at once; the published ones bear their names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from napari_sam2.errors import Sam2Error
from napari_sam2.imaging.seeds import SeedPolicy


@dataclass(frozen=True, slots=True)
class EverythingPolicy:
    """How all objects of an image are found from a grid of points; defaults as published (video spec 14).

    Attributes
    ----------
    points_per_side
        The grid has so many rows and columns.
    points_per_batch
        Points that go through the decoder together.
    pred_iou_thresh
        Masks of a higher predicted overlap stay; 0: all.
    stability_score_thresh
        Masks of at least this stability stay (`stability_scores`); 0: all.
    stability_score_offset
        How far the threshold is moved to tell the stability, in logits.
    mask_threshold
        A pixel is inside above this logit.
    box_nms_thresh
        Of two masks of one crop whose boxes overlap by more, the one of lower predicted overlap goes.
    crop_n_layers
        Layers of crops beside the whole image; the i-th has 2 ** i crops a side.
    crop_nms_thresh
        As `box_nms_thresh`, between crops; masks of smaller crops stay.
    crop_overlap_ratio
        Share of the shorter side by which the crops of the first layer overlap; less in later ones.
    crop_n_points_downscale_factor
        The grid of each further layer is thinner by this factor.
    min_mask_region_area
        Holes and islands of at most so many pixels of the image are filled and removed. 0: none.
    use_m2m
        Refine every mask once, from its own logits and its point.
    multimask_output
        Three masks a point instead of one.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.8
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    mask_threshold: float = 0.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0
    use_m2m: bool = False
    multimask_output: bool = True

    def __post_init__(self) -> None:
        for name in ("points_per_side", "points_per_batch", "crop_n_points_downscale_factor"):
            if getattr(self, name) < 1:
                raise Sam2Error(f"{name} is 1 or more, got {getattr(self, name)}.")
        for name in ("crop_n_layers", "min_mask_region_area", "stability_score_offset"):
            if not getattr(self, name) >= 0:
                raise Sam2Error(f"{name} is 0 or more, got {getattr(self, name)}.")
        if not 0 <= self.crop_overlap_ratio < 1:
            raise Sam2Error(f"crop_overlap_ratio is a share from 0 to 1, got {self.crop_overlap_ratio}.")


SEEDED = EverythingPolicy(pred_iou_thresh=0.3, stability_score_thresh=0.5)
"""Thresholds for seeds, where a point is seldom in vain: what to drop is the exception."""


@dataclass(frozen=True, slots=True)
class SeededPolicy:
    """How all objects are found from points where they are likely.

    Attributes
    ----------
    seeds
        How the points are found.
    masks
        Which masks stay; its grid and its crops play no part.
    across
        Windows are so many times as wide as a typical object. Too small ones cost time, in too large ones
        small objects lose their outline.
    least_window
        Windows are no smaller, in shares of the network's input.
    margin
        A seed lies at least so many typical radii from the edge of the window that it is seen through.
    largest
        Masks of more than so many times the area of a disk of the seed's radius are clumps or ground.
    """

    seeds: SeedPolicy = field(default_factory=SeedPolicy)
    masks: EverythingPolicy = SEEDED
    across: float = 8.0
    least_window: float = 0.25
    margin: float = 1.5
    largest: float = 8.0

    def __post_init__(self) -> None:
        for name in ("across", "least_window", "largest"):
            if not getattr(self, name) > 0:
                raise Sam2Error(f"{name} is more than 0, got {getattr(self, name)}.")
        if not self.margin >= 0:
            raise Sam2Error(f"margin is 0 or more, got {self.margin}.")

    def with_masks(self, **changes: Any) -> SeededPolicy:
        """Return the same with other thresholds of masks, by name."""
        return replace(self, masks=replace(self.masks, **changes))
