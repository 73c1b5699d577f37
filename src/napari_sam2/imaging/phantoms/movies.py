"""Fluorescent nuclei that move and divide: the plain movie of the sample data and the demo."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_sam2.imaging.optics import camera, illumination
from napari_sam2.imaging.phantoms.nuclei import divide, draw, make_nucleus, move, push_apart
from napari_sam2.imaging.phantoms.outline import scatter
from napari_sam2.imaging.phantoms.phantom import Phantom, check_divisions, check_room


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
    check_room(frames, height, width, objects, radius, divisions)
    check_divisions(frames, objects, divisions)
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    centers = scatter(rng, objects, size, 2.3 * radius)
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
