"""Procedural microscopy with exact truth, for sample data, tests and training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_sam2.errors import ImageError
from napari_sam2.imaging.nuclei import claim, divide, draw, make_nucleus, move, outline_patch, push_apart
from napari_sam2.imaging.optics import Counts, Points, camera, illumination, texture


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A scene and its truth.

    Parameters
    ----------
    images
        uint16 (T, H, W), camera counts.
    labels
        uint16 (T, H, W); 0 is background, and one number is one object through time.
    parents
        Daughter's label to mother's label.
    """

    images: Counts
    labels: Counts
    parents: dict[int, int]


def moving_nuclei(
    frames: int = 30,
    height: int = 256,
    width: int = 256,
    objects: int = 12,
    divisions: int = 2,
    seed: int = 0,
    radius: float = 11.0,
    speed: float = 0.8,
    photons: float = 250.0,
) -> Phantom:
    """Return fluorescent nuclei that move, turn, change shape and divide.

    A mother's label ends on the frame before the division; two daughters appear side by side, newly labelled.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects, divisions
        Nuclei on the first frame, labelled from 1, and how many of them divide, at evenly spread times.
    seed
        The same seed gives the same scene.
    radius, speed
        Mean radius in pixels, and typical movement in pixels a frame.
    photons
        Photons a pixel from a nucleus of mean brightness: fewer are noisier.

    Raises
    ------
    ImageError
        The nuclei do not fit the frame, or the divisions do not fit the nuclei and frames.
    """
    _check_room(frames, height, width, objects, radius, divisions)
    if not 0 <= divisions <= objects or (divisions and frames < 2):
        raise ImageError(
            f"{divisions} division(s) of {objects} nuclei in {frames} frame(s) cannot be: "
            "each nucleus divides at most once, and a division needs a frame before it."
        )
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    centers = _scatter(rng, objects, size, 2.3 * radius)
    living = [make_nucleus(rng, label, center, radius, speed) for label, center in enumerate(centers, 1)]
    times = np.linspace(max(1, frames // 6), max(2, frames - frames // 5), divisions + 2)[1:-1]
    for mother, time in zip(rng.permutation(objects)[:divisions], times, strict=True):
        living[int(mother)].divides = int(time)
    ground = illumination(rng, height, width)
    images, labels = np.empty((2, frames, height, width), np.uint16)
    parents: dict[int, int] = {}
    for t in range(frames):
        for mother in [nucleus for nucleus in living if nucleus.divides == t]:
            daughters = divide(rng, mother, objects + len(parents) + 1, t)
            living = [nucleus for nucleus in living if nucleus is not mother] + daughters
            parents.update({daughter.label: mother.label for daughter in daughters})
        push_apart(living, size, t)
        signal, labels[t] = draw(living, height, width, t)
        # Light from out of focus reaches far, so a coarse copy carries it.
        glow = ndimage.gaussian_filter(signal[::4, ::4], 4)
        glow = ndimage.zoom(glow, (height / glow.shape[0], width / glow.shape[1]), order=1)
        light = (ndimage.gaussian_filter(signal, 0.9) + 0.12 * glow + 0.08) * ground
        images[t] = camera(rng, light, photons)
        for nucleus in living:
            move(rng, nucleus, speed)
    return Phantom(images, labels, parents)


def textured_shapes(height: int = 256, width: int = 256, objects: int = 8, seed: int = 0) -> Phantom:
    """Return one image (1, H, W) of smooth blobs of random outline and texture over textured ground.

    The polarity is drawn at random: bright on dark, dark on bright, or only a rim, as in phase contrast.

    Parameters
    ----------
    height, width
        Size of the image.
    objects
        Blobs, labelled from 1; a pixel in two of them belongs to the one whose middle is nearer.
    seed
        The same seed gives the same image.

    Raises
    ------
    ImageError
        The frame is too small for the blobs.
    """
    rng = np.random.default_rng(seed)
    spacing = float(np.sqrt(height * width / max(objects, 1)))
    radius = min(0.3 * spacing, 0.2 * min(height, width))
    _check_room(1, height, width, objects, radius)
    polarity = ("bright", "dark", "rim")[int(rng.integers(3))]
    ground = rng.uniform(0.03, 0.2) * texture(rng, height, width, rng.uniform(1, 12))
    ground += rng.uniform(0, 0.4) * (illumination(rng, height, width) - 1)
    contrast = rng.uniform(0.35, 1.0) * (1 if polarity == "bright" else -1)
    labels = np.zeros((height, width), np.uint16)
    best = np.ones((height, width), np.float32)
    scene = ground.copy()
    for label, center in enumerate(_scatter(rng, objects, np.array([height, width]), 0.8 * spacing), 1):
        blob = make_nucleus(rng, label, center, radius * rng.uniform(0.6, 1.3), 0)
        blob.aspect = rng.uniform(0.4, 1.0)
        blob.amplitudes *= rng.uniform(0.5, 5.0)
        patch = outline_patch(blob, 0, height, width)
        window = np.s_[patch.rows, patch.columns]
        inside = claim(blob, patch, labels, best)
        level = contrast * rng.uniform(0.6, 1.2) * (0.1 if polarity == "rim" else 1)
        surface = level * (1 - rng.uniform(0, 0.6) * patch.ratio**2) + rng.uniform(0, 0.8) * ground[window]
        if rng.random() < 0.25:
            grain = np.sin(rng.uniform(4, 14) * (patch.u * rng.random() + patch.v))
        else:
            grain = texture(rng, patch.u.shape[0], patch.u.shape[1], rng.uniform(0.8, 4))
        scene[window][inside] = (surface + rng.uniform(0, 0.3) * grain)[inside]
        if polarity == "rim" or rng.random() < 0.2:
            beyond = (patch.ratio - 1) * blob.radius
            halo = np.exp(-(((beyond - 1.5) / 1.8) ** 2)) - 0.7 * np.exp(-(((beyond + 1.5) / 1.5) ** 2))
            scene[window] += abs(contrast) * halo
    scene = ndimage.gaussian_filter(scene, rng.uniform(0.5, 1.6))
    scene = (scene - scene.min()) / max(float(np.ptp(scene)), 1e-6)
    return Phantom(camera(rng, scene + 0.08, 10 ** rng.uniform(1.8, 3.5))[None], labels[None], {})


def _check_room(
    frames: int, height: int, width: int, objects: int, radius: float, divisions: int = 0
) -> None:
    # Two daughters together are half as large again as their mother.
    area = (objects + divisions / 2) * np.pi * radius**2
    covered = area / (height * width) if min(height, width) >= 16 else 1.0
    if frames < 1 or objects < 0 or radius < 2 or covered > 0.5:
        raise ImageError(
            f"{objects} object(s) of radius {radius:.1f} do not fit {frames} frame(s) of {height} x "
            f"{width}: a scene needs a frame, 16 x 16 pixels, radius 2, and at least half of its area free."
        )


def _scatter(rng: np.random.Generator, count: int, size: Points, spacing: float) -> Points:
    """Return (count, 2) places in the frame, as far from each other as `spacing` where there is room."""
    places = np.empty((count, 2))
    for i in range(count):
        tries = rng.uniform(0.04, 0.96, (40, 2)) * size
        gaps = np.linalg.norm(tries[:, None] - places[None, :i], axis=2).min(axis=1, initial=np.inf)
        places[i] = tries[gaps.argmax() if gaps.max() < spacing else (gaps >= spacing).argmax()]
    return places
