"""Minimal Sample Distance: how near what a network was trained on comes to a corruption.

Mintun, Kirillov, Xie, "On Interaction Between Augmentations and Corruptions in Natural Corruption
Robustness", NeurIPS 2021: a transform is where it takes the mean features of a fixed set of images, and an
augmentation is as near to a corruption as the nearest of its samples. The paper takes the last hidden layer
of a classifier; a SAM 2 has none, so it is its image embedding, averaged over the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_sam2.inference.pixels import to_model_pixels
from napari_sam2.model.sam2 import SAM2

Features = npt.NDArray[np.float64]


class FeatureSpace:
    """Where pictures lie in a network's image embedding.

    Parameters
    ----------
    model
        Is not changed.
    """

    def __init__(self, model: SAM2) -> None:
        self._model = model

    @torch.inference_mode()
    def mean(self, pictures: Iterable[npt.NDArray[Any]]) -> Features:
        """Return the mean features (c,) of pictures (h, w, 3), 0 to 1."""
        size, device = self._model.config.image_size, self._model.device
        found = [
            self._model.encode(to_model_pixels(picture, size, device)).features.mean((0, 2, 3))
            for picture in pictures
        ]
        return torch.stack(found).double().mean(0).cpu().numpy()


def minimal_sample_distance(augmented: Sequence[Features], corrupted: Sequence[Features]) -> float:
    """Return MSD: from the mean of a corruption's samples to the nearest sample of the augmentation.

    Not symmetric on purpose: one augmented sample that looks like the corruption is enough to learn from.

    Parameters
    ----------
    augmented, corrupted
        Mean features (c,) of the same pictures, one a sample.
    """
    centre = np.mean(corrupted, axis=0)
    return float(min(np.linalg.norm(sample - centre) for sample in augmented))
