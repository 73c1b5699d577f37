"""Budding yeast: oval cells with bright rims and vacuoles, whose buds swell and come off."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_sam2.imaging.optics import Counts, Floats, Points, blur, camera, texture, waves
from napari_sam2.imaging.phantoms.outline import (
    HARMONICS,
    Outline,
    Patch,
    claim,
    coverage,
    keep_whole,
    scatter,
    separate,
)
from napari_sam2.imaging.phantoms.phantom import Phantom, check_room

RIPE = 0.8  # a bud comes off at this share of its mother's radius
FLAT = np.zeros(len(HARMONICS))


@dataclass(slots=True, eq=False)
class _Yeast:
    """One cell; while it is a bud it sits on its mother at `seat`, an angle."""

    label: int
    center: Points
    angle: float
    radius: float
    full: float
    aspect: float
    vacuole: Points
    pause: int
    mother: _Yeast | None = field(default=None, repr=False)
    seat: float = 0.0


def budding_yeast(
    frames: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 10,
    seed: int = 0,
    radius: float = 11.0,
    growth: float = 0.05,
    photons: float = 1500.0,
) -> Phantom:
    """Return yeast in bright field; a bud has a label of its own from the first, and its mother keeps hers.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects
        Cells on the first frame, labelled from 1; some carry a bud, labelled after them.
    seed
        The same seed gives the same scene.
    radius
        Mean radius of a grown cell in pixels.
    growth
        What a bud's radius gains a frame, as a share of its mother's.
    photons
        Photons a pixel from the bare ground: fewer are noisier.

    Raises
    ------
    ImageError
        The cells do not fit the frame.
    """
    check_room(frames, height, width, objects, radius)
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    living, parents = [], {}
    for label, place in enumerate(scatter(rng, objects, size * rng.uniform(0.5, 1), 2.05 * radius), 1):
        living.append(_grown(rng, label, place, radius * rng.uniform(0.8, 1.15)))
    ground = 1 + 0.05 * waves(rng, (height, width), (60, 60))
    look = rng.uniform(0.15, 0.4), rng.uniform(0.3, 0.6), rng.choice([-1.0, 1.0])
    images, labels = np.empty((2, frames, height, width), np.uint16)
    for t in range(frames):
        carrying = {id(cell.mother) for cell in living}
        for mother in [c for c in living if c.mother is None and c.pause <= 0 and id(c) not in carrying]:
            bud = _bud(rng, mother, len(living) + 1, rng.uniform(0.3, 0.7) if t == 0 else 0.25)
            living.append(bud)
            parents[bud.label] = mother.label
        _settle(living, size)
        scene, labels[t] = _draw(living, height, width, *look)
        grain = np.float32(0.015) * texture(rng, height, width, 1.2)
        images[t] = camera(rng, 0.6 * (blur(scene, 0.9) + grain) * ground, photons / 0.6)
        for cell in living:
            _grow(rng, cell, growth)
    return Phantom(images, labels, parents)


def _grown(rng: np.random.Generator, label: int, center: Points, radius: float) -> _Yeast:
    vacuole = np.array([*rng.uniform(-0.35, 0.35, 2), rng.uniform(0.25, 0.5)])
    pause = int(rng.integers(-4, 9))
    return _Yeast(
        label, center, rng.uniform(0, np.pi), radius, radius, rng.uniform(0.75, 0.98), vacuole, pause
    )


def _bud(rng: np.random.Generator, mother: _Yeast, label: int, share: float) -> _Yeast:
    bud = _grown(rng, label, mother.center, share * mother.radius)
    bud.full = mother.full * rng.uniform(0.9, 1.05)
    bud.mother, bud.seat = mother, rng.uniform(0, 2 * np.pi)
    bud.angle = bud.seat
    return bud


def _grow(rng: np.random.Generator, cell: _Yeast, growth: float) -> None:
    cell.center = cell.center + rng.normal(0, 0.15, 2)
    cell.pause -= 1
    if cell.mother is None:
        cell.radius += 0.1 * (cell.full - cell.radius)
        return
    cell.radius += growth * cell.mother.full
    if cell.radius >= RIPE * cell.mother.radius:
        cell.pause, cell.mother.pause = int(rng.integers(4, 12)), int(rng.integers(1, 6))
        cell.mother = None


def _settle(living: list[_Yeast], size: Points) -> None:
    """Keep cells apart, and buds on their mothers."""
    for _ in range(2):
        for bud in living:
            if bud.mother is not None:
                away = bud.mother.radius * 0.97 + 0.8 * bud.radius
                way = np.array([np.sin(bud.seat), np.cos(bud.seat)])
                bud.center = bud.mother.center + away * way
        centers = np.array([cell.center for cell in living]).reshape(-1, 2)
        extent = np.array([cell.radius for cell in living])
        for cell, center in zip(living, separate(centers, extent, 0 * size, size - 1, 0.98), strict=True):
            if cell.mother is None:
                cell.center = center


def _draw(
    living: list[_Yeast], height: int, width: int, rim: float, ring: float, turn: float
) -> tuple[Floats, Counts]:
    """Return the transmitted light, 1 for the bare ground, and the labels."""
    best = np.ones((height, width), np.float32)
    labels = np.zeros((height, width), np.uint16)
    scene = np.ones((height, width), np.float32)
    patches: list[tuple[_Yeast, Patch]] = []
    for cell in living:
        long, short = cell.radius / np.sqrt(cell.aspect), cell.radius * np.sqrt(cell.aspect)
        patch = Outline(cell.center, cell.angle, long, short, FLAT, FLAT).patch(height, width)
        claim(cell.label, patch, labels, best)
        patches.append((cell, patch))
    for cell, patch in patches:
        window = np.s_[patch.rows, patch.columns]
        beyond = (patch.ratio - 1) * cell.radius
        inside = coverage(patch, cell.radius) * (labels[window] == cell.label)
        y, x, r = cell.vacuole
        vacuole = np.exp(-((((patch.v - y) ** 2 + (patch.u - x) ** 2) / r**2) ** 2))
        body = 1 + turn * 0.12 - 0.2 * turn * vacuole
        scene[window] += inside * (np.asarray(body, np.float32) - scene[window])
        scene[window] += ring * np.exp(-(((beyond + 1.2) / 1.3) ** 2)) * turn
        scene[window] -= rim * np.exp(-(((beyond - 1.4) / 1.5) ** 2)) * turn
    keep_whole(labels)
    return scene, labels
