"""All objects of an image from a grid of points (video spec 14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.everything_policy import EverythingPolicy
from napari_sam2.inference.focus import Window
from napari_sam2.inference.found_masks import FoundMask, select
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.part_masks import masks_at
from napari_sam2.inference.point_grid import crop_windows, layer_side, point_grid
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.model.families import ImageModel
from napari_sam2.prompts import Click

Progress = Callable[[int, int], None]
"""Is told how many parts of an image are done, and how many there are; an exception from it stops."""


class Everything:
    """Finds all objects of an image, or of each crop of it, from a grid of points.

    Good where nothing is known of the objects; where they stand out of their ground, `SeededEverything` finds
    as much in a small part of the time.

    Parameters
    ----------
    model
        The network, of any family; it is not changed.
    policy
        The grid, the crops, and which masks stay.
    mask_policy
        How one prompt becomes one mask; by default `MaskPolicy.for_model`.
    """

    def __init__(
        self,
        model: ImageModel,
        policy: EverythingPolicy | None = None,
        mask_policy: MaskPolicy | None = None,
    ) -> None:
        self.policy = policy or EverythingPolicy()
        self._predictor = ImagePredictor(model, mask_policy)

    def segment(
        self,
        image: np.ndarray[Any, Any],
        intensity: IntensityMap | None = None,
        on_part: Progress | None = None,
    ) -> list[FoundMask]:
        """Return the masks of an image, which may overlap; `flatten` makes labels of them.

        Parameters
        ----------
        image
            (H, W), or (H, W, 3) in colour; any dtype.
        intensity
            How pixel values become what the network sees, in the image and its crops alike; by default uint8
            colour as it is, everything else by percentiles.
        on_part
            Is told how far things are.

        Returns
        -------
        list of FoundMask
            Best predicted overlap first; with crops, those of the smallest crops first.

        Raises
        ------
        ImageError
            If the image has another layout, or shows nothing.
        """
        image = pixels.checked_image(image)
        policy, shape = self.policy, (image.shape[0], image.shape[1])
        intensity = intensity or IntensityMap.for_frames(image[None])
        crops = crop_windows(shape, policy.crop_n_layers, policy.crop_overlap_ratio)
        masks: list[FoundMask] = []
        for done, (layer, crop) in enumerate(crops):
            self._predictor.set_image(crop.cut(image), intensity)
            side = layer_side(policy.points_per_side, policy.crop_n_points_downscale_factor, layer)
            own = masks_at(self._predictor, grid_clicks(crop, side), crop, shape, policy)
            masks += select(own, [mask.predicted_iou for mask in own], policy.box_nms_thresh)
            if on_part is not None:
                on_part(done + 1, len(crops))
        if len(crops) == 1:
            return masks
        return select(masks, [1 / np.prod(mask.crop.shape) for mask in masks], policy.crop_nms_thresh)


def grid_clicks(crop: Window, side: int) -> list[Click]:
    """Return the points of a grid over a crop, in pixels of the image; the outermost stay inside."""
    height, width = crop.shape
    return [
        Click(crop.y0 + min(y * height, height - 0.5), crop.x0 + min(x * width, width - 0.5))
        for y, x in point_grid(side).tolist()
    ]
