"""Whether a body has fallen in two since the volume before, from the light where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.volume import Voxel

Light = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

LEVELS = 16
"""How many brightnesses, from the brightest down, are looked at."""


@dataclass(frozen=True, slots=True)
class DaughterPolicy:
    """When two bright parts are two daughters.

    Attributes
    ----------
    saddle
        The brightest way from one to the other falls to this share of the dimmer one's brightness or below,
        both above the ground.
    part
        Each has at least so much of the mother's size where it stands out.
    inside
        So much of each lies where the mother was: what lies beside her is a neighbour.
    whole
        A daughter has at most so much of the mother's size: a larger one is the mother.
    smooth
        Standard deviation of the smoothing before, in units of the smallest spacing: the grain of a nucleus
        is no division.
    """

    saddle: float = 0.7
    part: float = 0.08
    inside: float = 0.5
    whole: float = 0.9
    smooth: float = 1.0

    def __post_init__(self) -> None:
        for name in ("saddle", "part", "inside", "whole"):
            if not 0 < getattr(self, name) <= 1:
                raise Sam2Error(f"{name} is a share above 0, up to 1, got {getattr(self, name)}.")
        if not self.smooth >= 0:
            raise Sam2Error(f"smooth is 0 or more, got {self.smooth}.")


def find_daughters(
    light: npt.NDArray[Any],
    mother: Mask,
    others: Mask,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    policy: DaughterPolicy | None = None,
) -> tuple[Voxel, Voxel] | None:
    """Look for two bright parts where a body was.

    Parameters
    ----------
    light
        (z, y, x) of the newer volume, round the body with some room; objects are bright.
    mother, others
        bool (z, y, x): where the body was in the volume before, and where other bodies are now.
    spacing
        Distance of slices, rows and columns.
    policy
        What counts.

    Returns
    -------
    tuple of Voxel, or None
        The middles of the two, in voxels of `light`, the larger one first; None where there are not two.
    """
    policy = policy or DaughterPolicy()
    if not mother.any():
        return None
    sigma = [policy.smooth * min(spacing) / step for step in spacing]
    smooth = ndimage.gaussian_filter(np.asarray(light, np.float32), sigma, mode="nearest")
    place = grown(mother, spacing, 0.5) & ~others
    if not place.any():
        return None
    ground, top = float(np.percentile(smooth, 10)), float(smooth[place].max())
    least = max(2.0, policy.part * np.count_nonzero(mother))
    pair: Mask | None = None
    for level in np.linspace(top, ground, LEVELS + 1)[1:-1]:
        parts, count = ndimage.label((smooth > level) & place, np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        if pair is None:
            large = [
                n for n in range(1, count + 1) if sizes[n] >= least and _within(parts == n, mother, policy)
            ]
            if len(large) < 2:
                continue
            large.sort(key=lambda n: -sizes[n])
            pair = np.stack([parts == n for n in large[:2]])
            dimmer = min(float(np.percentile(smooth[one], 90)) for one in pair) - ground
        first, second = (int(np.bincount(parts[one]).argmax()) for one in pair)
        if first == second:
            # They have met: here lies the saddle, if not a step higher.
            return _middles(pair) if (level - ground) <= policy.saddle * dimmer else None
    return None if pair is None else _middles(pair)


def _within(part: Mask, mother: Mask, policy: DaughterPolicy) -> bool:
    return int(np.count_nonzero(part & mother)) >= policy.inside * int(np.count_nonzero(part))


def grown(body: Mask, spacing: Sequence[float], share: float) -> Mask:
    """Return a body (z, y, x) and what lies no farther from it than a share of its radius as a ball."""
    radius = (3 * np.count_nonzero(body) * float(np.prod(spacing)) / (4 * np.pi)) ** (1 / 3)
    near: Mask = ndimage.distance_transform_edt(~body, sampling=tuple(spacing)) <= share * radius
    return near


def _middles(pair: npt.NDArray[np.bool_]) -> tuple[Voxel, Voxel]:
    first, second = (ndimage.center_of_mass(one) for one in pair)
    return Voxel(*first[:3]), Voxel(*second[:3])
