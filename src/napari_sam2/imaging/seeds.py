"""Where objects are likely: points to prompt a network with, from intensity and distance alone.

Bright bodies on a dark ground, or dark ones on a bright ground, as in most of fluorescence and stained
tissue. Too many points cost little, since their masks coincide; a missing one costs an object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.errors import ImageError, Sam2Error

Plane = npt.NDArray[np.float32]

_BINS = 256
_FLOOR = 0.05
"""What is dimmer than this share of the image's range is all the same: logarithms would blow it up."""

_SURE = 4.0
"""Two sides are told apart where their means differ by so many standard deviations of the smoothed noise."""

_GLOW = float(np.log(1.5))
"""What is so many times brighter (in logarithms) than the region that it lies in is an object of its own."""

_MANY = 3
"""A region that holds so many of them is their common ground."""

_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Blind to steps and slopes; what is left is noise (Immerkær, Comput. Vis. Image Underst. 64, 1996)."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A point in pixels, (y, x), that is likely inside an object, and how far the object's border is."""

    y: float
    x: float
    radius: float


@dataclass(frozen=True, slots=True)
class SeedPolicy:
    """How seeds are looked for.

    Attributes
    ----------
    bright
        Whether objects are brighter than what is around them; None for the side that takes less room.
    smooth
        Standard deviation, in pixels, of the smoothing before the threshold.
    around
        How far the surroundings reach that an object has to stand out from, in radii of the objects: regions
        of different brightness get thresholds of their own. 0: one threshold for all.
    least_radius
        Objects whose border is nowhere so many pixels from their middle are left out.
    apart
        Two seeds lie at least so many times the larger radius apart.
    most
        At most so many seeds, those of the largest radius first.
    """

    bright: bool | None = None
    smooth: float = 0.7
    around: float = 4.0
    least_radius: float = 1.5
    apart: float = 0.6
    most: int = 4096

    def __post_init__(self) -> None:
        for name in ("smooth", "around", "least_radius", "apart"):
            if not getattr(self, name) >= 0:
                raise Sam2Error(f"{name} is 0 or more, got {getattr(self, name)}.")
        if self.most < 1:
            raise Sam2Error(f"most is 1 or more, got {self.most}.")


def find_seeds(image: npt.NDArray[Any], policy: SeedPolicy | None = None) -> tuple[Seed, ...]:
    """Return points that likely lie in objects, largest radius first; none where all is noise.

    Parameters
    ----------
    image
        (H, W), or (H, W, C) in colour; any dtype.
    policy
        How they are looked for.

    Raises
    ------
    ImageError
        If the image has another layout, or pixels that are no numbers.
    """
    policy = policy or SeedPolicy()
    plane = _plane(image)
    side = foreground(plane, policy)
    if not side.any():
        return ()
    gray = plane if _is_bright(plane, side) else -plane
    # The image's frame is no border: what it cuts goes on behind it.
    depth = ndimage.distance_transform_edt(np.pad(side, 1, mode="edge"))[1:-1, 1:-1].astype(np.float32)
    if not np.isfinite(depth).all() or side.all():
        depth = np.full(side.shape, min(side.shape) / 2, np.float32)
    typical = _typical(depth, side)
    candidates = np.concatenate(
        [
            _summits(ndimage.gaussian_filter(depth, max(1.0, 0.25 * typical)), side, 0.5 * typical),
            _summits(ndimage.gaussian_filter(gray, max(1.0, 0.5 * typical)), side, 0.7 * typical),
        ]
    )
    return _thinned(candidates, depth, policy)


def foreground(plane: Plane, policy: SeedPolicy) -> npt.NDArray[np.bool_]:
    """Return the side of objects, bool (H, W); empty where the two sides differ by no more than noise."""
    smooth = ndimage.gaussian_filter(plane, policy.smooth)
    # Dim objects beside bright ones: what counts is how many times brighter they are than their ground.
    low = float(np.percentile(smooth, 5))
    noise = _noise(plane)
    level = np.log(np.maximum(smooth - low, 0) + max(3 * noise, _FLOOR * float(np.ptp(smooth)), 1e-12))
    high = level > _otsu(level)
    above, below = smooth[high], smooth[~high]
    if not len(above) or not len(below):
        return np.zeros(plane.shape, bool)
    left = noise / (2 * np.sqrt(np.pi) * policy.smooth) if policy.smooth > 0.3 else noise
    if above.mean() - below.mean() < _SURE * left:
        return np.zeros(plane.shape, bool)
    bright = policy.bright if policy.bright is not None else high.mean() <= 0.5
    side = high if bright else ~high
    level = level if bright else -level
    side = _without_glow(level, side)
    if policy.around > 0:
        side &= _stands_out(level, side, policy.around)
    opened: npt.NDArray[np.bool_] = ndimage.binary_opening(side)
    return opened


def _without_glow(level: Plane, side: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return a side without regions that are but the ground of several objects: those stay alone."""
    parts, _ = ndimage.label(side)
    kept = side.copy()
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        own = parts[box] == number
        values = level[box][own]
        if len(values) < _BINS:
            continue
        threshold = _otsu(values)
        high = values > threshold
        if not high.any() or high.all() or values[high].mean() - values[~high].mean() < _GLOW:
            continue
        inner = ndimage.binary_opening(own & (level[box] > threshold))
        if ndimage.label(inner)[1] >= _MANY:
            kept[box][own] = inner[own]
    return kept


def _stands_out(level: Plane, side: npt.NDArray[np.bool_], around: float) -> npt.NDArray[np.bool_]:
    """Return where a plane is above the mean of its surroundings, as wide as a few objects of the side."""
    depth = ndimage.distance_transform_edt(side)
    reach = around * _typical(depth, side)
    local: npt.NDArray[np.bool_] = level > ndimage.gaussian_filter(level, reach, mode="nearest")
    return local


def _typical(depth: Plane, side: npt.NDArray[np.bool_]) -> float:
    """Return the radius of a typical object, in pixels: the median depth of the summits."""
    summits = side & (depth >= ndimage.maximum_filter(depth, 5)) & (depth > 1)
    return float(np.median(depth[summits])) if summits.any() else 1.0


def _summits(height: Plane, side: npt.NDArray[np.bool_], reach: float) -> npt.NDArray[np.intp]:
    """Return the places (n, 2) on a side that are highest within a square of `reach` pixels each way."""
    size = 2 * max(1, round(reach)) + 1
    tops = side & (height >= ndimage.maximum_filter(height, size, mode="nearest"))
    parts, count = ndimage.label(tops, structure=np.ones((3, 3)))
    if not count:
        return np.zeros((0, 2), np.intp)
    # A plateau is one summit: its pixel nearest to its middle.
    places = np.argwhere(parts)
    numbers = parts[parts > 0]
    middles = np.array(ndimage.center_of_mass(parts > 0, parts, np.arange(1, count + 1)))
    off = ((places - middles[numbers - 1]) ** 2).sum(axis=1)
    order = np.lexsort((off, numbers))
    _, first = np.unique(numbers[order], return_index=True)
    return places[order[first]]


def _thinned(candidates: npt.NDArray[np.intp], depth: Plane, policy: SeedPolicy) -> tuple[Seed, ...]:
    """Keep the deepest of candidates that lie close together."""
    radii = depth[tuple(candidates.T)]
    wide = radii >= policy.least_radius
    candidates, radii = candidates[wide], radii[wide]
    order = np.argsort(-radii, kind="stable")
    candidates, radii = candidates[order], radii[order]
    kept: list[int] = []
    taken = np.zeros(len(candidates), bool)
    for index in range(len(candidates)):
        if taken[index]:
            continue
        kept.append(index)
        off = ((candidates - candidates[index]) ** 2).sum(axis=1)
        taken |= off < (policy.apart * radii[index]) ** 2
        if len(kept) == policy.most:
            break
    return tuple(Seed(float(candidates[i][0]), float(candidates[i][1]), float(radii[i])) for i in kept)


def _plane(image: npt.NDArray[Any]) -> Plane:
    image = np.asarray(image)
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] > 4):
        raise ImageError(
            f"An image has the shape (H, W) or (H, W, 3), got {image.shape}. "
            "Choose one frame of a stack, and put colours last."
        )
    plane = image.astype(np.float32)
    plane = plane if plane.ndim == 2 else plane.mean(axis=2)
    if not np.isfinite(plane).all():
        raise ImageError("The image has pixels that are no numbers (NaN or infinity): replace them first.")
    return plane


def _is_bright(plane: Plane, side: npt.NDArray[np.bool_]) -> bool:
    return bool(side.all() or plane[side].mean() >= plane[~side].mean())


def _noise(plane: Plane) -> float:
    """Return the standard deviation of the noise."""
    rest = np.abs(ndimage.convolve(plane, _LAPLACIAN))
    return float(np.median(rest)) / 0.6745 / 6


def _otsu(plane: Plane) -> float:
    """Return the threshold that leaves least variance within its two sides (Otsu 1979)."""
    counts, edges = np.histogram(plane, _BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nan_to_num(between).argmax()])
