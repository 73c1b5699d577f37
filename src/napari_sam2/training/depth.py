"""Stacks from one annotated still: its objects become bodies that begin and end within the slices."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.training.cutouts import Cutout, FloatArray, LabelArray, Path, cut_out, find_ground, paint

# At most so many bodies: each slice of each is painted by itself.
MOST = 240
# Bodies thinner than this share of their middle section are light without a label.
THINNEST = 0.3


def depth_collage(
    rng: np.random.Generator, image: npt.NDArray[np.uint8], labels: LabelArray, slices: int
) -> tuple[npt.NDArray[np.uint8], LabelArray]:
    """Make a stack of bodies whose middle sections are the objects of a still.

    Nothing in a movie ends where the next begins; in a stack everything does. So each object is swept through
    a rounded profile: its section shrinks towards both ends, the next body comes at nearly the same place,
    and the blur along the depth, which is the widest, dims the ends and shows a body a little beyond them.

    Parameters
    ----------
    rng
        Draws depths, thicknesses, profiles, blur and noise.
    image, labels
        (H, W) and (H, W), 0 for the ground.
    slices
        How many to make.

    Returns
    -------
    tuple of ndarray
        Slices uint8 (T, H, W) and labels uint16 (T, H, W). Slice 0 cuts all objects of the still, the first
        of which keep their labels and places; bodies that lie deeper have new ones.
    """
    ground = find_ground(rng, image.astype(np.float32), labels)
    cutouts = cut_out(image.astype(np.float32) - ground, labels)
    thickness = math.exp(rng.uniform(math.log(2), math.log(12)))
    # Beyond the stack there are slices, too, whose light reaches into it.
    margin = math.ceil(min(thickness, 4))
    depth = slices + 2 * margin
    light = np.zeros((depth, *labels.shape), np.float32)
    truth = np.zeros(light.shape, np.uint16)
    contrast = rng.uniform(0, 0.5)
    for cutout, path in _bodies(rng, cutouts, thickness, margin, depth, contrast):
        for z in np.nonzero(path.seen)[0]:
            hidden = truth[z] if path.axes[z].max() >= THINNEST else truth[z].copy()
            paint(light[z], hidden, cutout, path, int(z))
    stack = _through_lens(rng, light, thickness)[margin : margin + slices]
    stack = _noisy(rng, stack + ground)
    return np.clip(np.rint(stack), 0, 255).astype(np.uint8), truth[margin : margin + slices]


def _bodies(
    rng: np.random.Generator,
    cutouts: dict[int, Cutout],
    thickness: float,
    margin: int,
    depth: int,
    contrast: float,
) -> list[tuple[Cutout, Path]]:
    """Lay bodies out layer by layer, the first one through slice 0, none deep inside another."""
    if not cutouts:
        return []
    radii = {label: cutout.radius for label, cutout in cutouts.items()}
    median = float(np.median(list(radii.values())))
    pitch = 2 * thickness * rng.uniform(0.75, 1.5)
    layers = 1 + math.ceil(depth / pitch)
    fresh = max(cutouts) + 1
    flatness, shift, tilt = rng.uniform(1.6, 3.5), rng.uniform(0.2, 1.5), rng.uniform(0, 0.6)
    made: list[tuple[Cutout, Path]] = []
    placed = np.empty((MOST, 5))
    for layer in (*range(layers), -1):
        for label in (int(n) for n in rng.permutation(list(cutouts))):
            cutout = cutouts[label]
            half = thickness * (radii[label] / median) ** 0.7 * math.exp(rng.normal(0, 0.2))
            place = np.array([cutout.y, cutout.x])
            middle = margin + half * rng.uniform(-0.9, 0.9)
            if layer != 0:
                place = place + rng.normal(0, shift * cutout.radius, 2)
                middle = margin + layer * pitch + thickness * rng.normal(0, 0.4)
            body = np.array([middle, *place, half, cutout.radius])
            others = placed[: len(made)]
            along = (others[:, 0] - middle) / (others[:, 3] + half)
            across = (others[:, 1:3] - place) / (others[:, 4:] + cutout.radius)
            # The still says itself how close its objects lie, so that those of slice 0 are all taken.
            crowded = (along**2 + (across**2).sum(1) < 0.8).any()
            if len(made) == MOST or (layer != 0 and crowded):
                continue
            placed[len(made)] = body
            gain = float(np.clip(math.exp(rng.normal(0, contrast)), 0.25, 2.5))
            number = label if layer == 0 else fresh
            fresh += layer != 0
            made.append((cutout, _sweep(rng, number, cutout, body, depth, flatness, tilt, gain)))
    return made


def _sweep(
    rng: np.random.Generator,
    label: int,
    cutout: Cutout,
    body: npt.NDArray[np.float64],
    depth: int,
    flatness: float,
    tilt: float,
    gain: float,
) -> Path:
    """A superellipsoid round its middle, leaning a little and turning slowly."""
    middle, y, x, half, _ = body
    away = (np.arange(depth) - middle) / half
    profile = np.clip(1 - np.abs(away) ** flatness, 0, None) ** (1 / flatness)
    lean = tilt * cutout.radius * rng.normal(0, 0.5, 2)
    lengths = profile[:, None] * np.exp(away[:, None] * rng.normal(0, 0.12, 2))
    angles = away * rng.normal(0, 0.15)
    seen = profile > 0.08
    centres = np.array([y, x]) + away[:, None] * lean
    return Path(label, centres, angles, np.maximum(lengths, 0.08), np.full(depth, gain), seen)


def _through_lens(rng: np.random.Generator, light: FloatArray, thickness: float) -> FloatArray:
    """Blur along the depth, with a foot that is wider in all directions."""
    sigma = thickness * rng.uniform(0.05, 0.35)
    core = ndimage.gaussian_filter1d(light, sigma, axis=0, mode="nearest", truncate=3.0)
    share = rng.uniform(0, 0.4) if rng.random() < 0.6 else 0.0
    if share == 0:
        return np.asarray(core, np.float32)
    wide = 1 + rng.uniform(1, 4)
    foot = ndimage.gaussian_filter(light, (2.5 * sigma + 0.5, wide, wide), mode="nearest", truncate=2.5)
    return np.asarray((1 - share) * core + share * foot, np.float32)


def _noisy(rng: np.random.Generator, stack: FloatArray) -> FloatArray:
    """The noise of few photons, in most stacks: it is what hides where a body ends."""
    if rng.random() < 0.3:
        return stack
    photons = math.exp(rng.uniform(math.log(8), math.log(300)))
    top = max(float(np.percentile(stack, 99)), 1.0)
    expected = np.clip(stack / top, 0, None) * photons
    noise = np.sqrt(expected + 0.3).astype(np.float32) * rng.standard_normal(stack.shape, np.float32)
    return np.asarray((expected + noise) * (top / photons), np.float32)
