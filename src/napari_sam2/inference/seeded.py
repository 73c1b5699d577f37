"""All objects of an image from points where they are likely, seen through windows that fit their size."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, pi
from typing import Any

import numpy as np

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.imaging.seeds import Seed, find_seeds
from napari_sam2.inference import pixels
from napari_sam2.inference.everything import Progress
from napari_sam2.inference.everything_policy import SeededPolicy
from napari_sam2.inference.focus import Window
from napari_sam2.inference.found_masks import FoundMask, select
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.part_masks import masks_at
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.model.families import ImageModel
from napari_sam2.prompts import Click

_TOUCHING = 1
"""Windows overlap by what is round a seed, so that only masks that touch an edge are cut off."""

_WHOLE = 0.8
"""A window of such a share of the image might as well be the image."""


class SeededEverything:
    """Finds all objects of an image that stand out of their ground.

    Parameters
    ----------
    model
        The network, of any family; it is not changed.
    policy
        How points are found, how they are seen, and which masks stay.
    mask_policy
        How one prompt becomes one mask; by default `MaskPolicy.for_model`.
    """

    def __init__(
        self, model: ImageModel, policy: SeededPolicy | None = None, mask_policy: MaskPolicy | None = None
    ) -> None:
        self.policy = policy or SeededPolicy()
        self._predictor = ImagePredictor(model, mask_policy)

    def segment(
        self,
        image: np.ndarray[Any, Any],
        intensity: IntensityMap | None = None,
        on_part: Progress | None = None,
        seeds: Sequence[Seed] | None = None,
    ) -> list[FoundMask]:
        """Return the masks of an image, which may overlap; `flatten` makes labels of them.

        Parameters
        ----------
        image
            (H, W), or (H, W, 3) in colour; any dtype.
        intensity
            How pixel values become what the network sees; by default each window is mapped by its own
            percentiles, so that dim regions are as clear as bright ones.
        on_part
            Is told how far things are.
        seeds
            Points to take instead of those that `find_seeds` finds.

        Returns
        -------
        list of FoundMask
            Best predicted overlap first; none where nothing stands out of the noise.

        Raises
        ------
        ImageError
            If the image has another layout, or pixels that are no numbers.
        """
        image = pixels.checked_image(image)
        policy, shape = self.policy, (image.shape[0], image.shape[1])
        seeds = find_seeds(image, policy.seeds) if seeds is None else seeds
        if not seeds:
            return []
        groups = windows_of(seeds, shape, policy, self._predictor.model.config.image_size)
        masks: list[FoundMask] = []
        for done, (window, own) in enumerate(groups.items()):
            part = window.cut(image)
            shown = intensity or IntensityMap.for_frames((part if part.min() < part.max() else image)[None])
            self._predictor.set_image(part, shown)
            clicks = [Click(seed.y, seed.x) for seed in own]
            limits = [policy.largest * pi * seed.radius**2 for seed in own]
            masks += masks_at(self._predictor, clicks, window, shape, policy.masks, _TOUCHING, limits)
            if on_part is not None:
                on_part(done + 1, len(groups))
        return select(masks, [mask.predicted_iou for mask in masks], policy.masks.box_nms_thresh)


def windows_of(
    seeds: Sequence[Seed], shape: tuple[int, int], policy: SeededPolicy, input_size: int
) -> dict[Window, list[Seed]]:
    """Return which seeds are seen through which window: of several, the one whose middle is nearest."""
    typical = float(np.median([seed.radius for seed in seeds]))
    side = max(policy.across * 2 * typical, policy.least_window * input_size)
    if side >= _WHOLE * max(shape):
        return {Window(0, 0, *shape): list(seeds)}
    step = max(side / 2, side - 2 * policy.margin * typical)
    starts = [_starts(length, int(side), step) for length in shape]
    groups: dict[Window, list[Seed]] = {}
    for seed in seeds:
        at = [
            min(options, key=lambda start: abs(start + min(int(side), length) / 2 - place))
            for options, length, place in zip(starts, shape, (seed.y, seed.x), strict=True)
        ]
        ends = [start + min(int(side), length) for start, length in zip(at, shape, strict=True)]
        groups.setdefault(Window(at[0], at[1], ends[0], ends[1]), []).append(seed)
    return groups


def _starts(length: int, side: int, step: float) -> list[int]:
    """Return where windows of a side begin along a length: evenly, at most a step apart, up to its end."""
    room = max(0, length - side)
    return [int(start) for start in np.linspace(0, room, ceil(room / step) + 1).round()]
