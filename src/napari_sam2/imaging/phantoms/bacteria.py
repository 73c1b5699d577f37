"""Rods that grow, divide and push each other apart, as bacteria in a colony do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.spatial import cKDTree

from napari_sam2.imaging.optics import Counts, Floats, Points, blur, camera, texture, waves
from napari_sam2.imaging.phantoms.outline import keep_whole
from napari_sam2.imaging.phantoms.phantom import Phantom, check_room
from napari_sam2.imaging.phantoms.phase import phase_contrast

JOINTS = np.linspace(-1, 1, 4)  # where along a rod it feels its neighbours


class Light(Enum):
    """What a microscope makes of bodies."""

    FLUORESCENCE = "fluorescence"
    PHASE = "phase"


@dataclass(slots=True, eq=False)
class _Rod:
    """A capsule: half the length of its axis without the caps, and when it is long enough to divide."""

    label: int
    center: Points
    angle: float
    half: float
    limit: float
    growth: float
    brightness: float

    @property
    def axis(self) -> Points:
        return np.array([np.sin(self.angle), np.cos(self.angle)])

    def beads(self) -> Points:
        """Return the places (4, 2) at which the rod feels its neighbours."""
        return np.asarray(self.center + JOINTS[:, None] * self.half * self.axis)


def rods(
    frames: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 12,
    seed: int = 0,
    radius: float = 4.0,
    growth: float = 0.06,
    speed: float = 0.5,
    light: Light = Light.PHASE,
    photons: float = 800.0,
) -> Phantom:
    """Return rods that grow, divide into two newly labelled ones, and push each other apart.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects
        Rods on the first frame, labelled from 1.
    seed
        The same seed gives the same scene.
    radius
        Half the thickness of a rod in pixels.
    growth
        Mean growth of length a frame, as a share of it.
    speed
        Typical movement in pixels a frame.
    light
        Bright rods on dark ground, or dark ones with halos on grey.
    photons
        Photons a pixel from a mean rod: fewer are noisier.

    Raises
    ------
    ImageError
        The rods do not fit the frame.
    """
    check_room(frames, height, width, objects, 1.8 * radius)
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    # A few founders' colonies: rods lie near, and along, each other.
    homes = rng.uniform(0.2, 0.8, (max(1, objects // 5), 2)) * size
    ways = rng.uniform(0, np.pi, len(homes))
    living: list[_Rod] = []
    for label in range(1, objects + 1):
        home, limit = int(rng.integers(len(homes))), radius * rng.uniform(2.4, 4.2)
        half, turn = limit * rng.uniform(0.45, 1), ways[home] + rng.normal(0, 0.5)
        pace = growth * rng.uniform(0.5, 1.5)
        rod = _Rod(label, homes[home], turn, half, limit, pace, float(rng.lognormal(0, 0.25)))
        _find_place(rng, rod, living, radius)
        living.append(rod)
    _jostle(living, radius, size, rounds=10)
    ground, total = 1 + 0.06 * waves(rng, (height, width), (60, 60)), objects
    images, labels = np.empty((2, frames, height, width), np.uint16)
    parents: dict[int, int] = {}
    for t in range(frames):
        for mother in [rod for rod in living if t and rod.half >= rod.limit]:
            daughters = _split(rng, mother, total + 1, radius)
            total += 2
            living = [rod for rod in living if rod is not mother] + daughters
            parents.update({rod.label: mother.label for rod in daughters})
        _jostle(living, radius, size)
        body, labels[t] = _draw(living, radius, height, width)
        if light is Light.PHASE:
            seen = 0.6 * phase_contrast(rng, blur(1.1 * body, 0.8), 1.6 * radius, 0.65) * ground
        else:
            grain = 1 + np.float32(0.12) * texture(rng, height, width, 1.5)
            seen = (blur(body * grain, 1.0, 4.0, 0.2) + np.float32(0.07)) * ground
        images[t] = camera(rng, np.asarray(seen, np.float32), photons)
        for rod in living:
            rod.half *= 1 + rod.growth
            rod.center = rod.center + rng.normal(0, 0.4 * speed, 2)
            rod.angle += rng.normal(0, 0.03)
    return Phantom(images, labels, parents)


def _split(rng: np.random.Generator, mother: _Rod, label: int, radius: float) -> list[_Rod]:
    half = max((mother.half - radius) / 2, 0.3 * radius)
    return [
        _Rod(
            label + i,
            mother.center + side * (half + radius) * mother.axis,
            mother.angle + rng.normal(0, 0.08),
            half,
            mother.limit * rng.uniform(0.9, 1.1),
            mother.growth * rng.uniform(0.8, 1.2),
            mother.brightness * rng.uniform(0.9, 1.1),
        )
        for i, side in enumerate((-1, 1))
    ]


def _find_place(rng: np.random.Generator, rod: _Rod, living: list[_Rod], radius: float) -> None:
    """Move a rod to the nearest of some random places round its home where it touches no other."""
    others = cKDTree(np.concatenate([other.beads() for other in living])) if living else None
    home, away, found = rod.center, 0.0, -1.0
    for _ in range(30):
        away += 0.6 * radius
        place = home + rng.normal(0, away, 2)
        rod.center = place
        gap = float(others.query(rod.beads())[0].min()) if others is not None else np.inf
        if gap > found:
            best, found = place, gap
        if gap > 2 * radius:
            break
    rod.center = best


def _jostle(living: list[_Rod], radius: float, size: Points, rounds: int = 5) -> None:
    """Push overlapping rods apart: four beads on each feel the beads of the others, and turn it."""
    count = len(JOINTS)
    for _ in range(rounds if living else 0):
        beads = np.concatenate([rod.beads() for rod in living])
        pairs = cKDTree(beads).query_pairs(2.15 * radius, output_type="ndarray")
        a, b = pairs[pairs[:, 0] // count != pairs[:, 1] // count].T
        gap = beads[a] - beads[b]
        distance = np.maximum(np.linalg.norm(gap, axis=1), 1e-6)
        force = (0.35 * (2.15 * radius / distance - 1))[:, None] * gap
        push = np.zeros_like(beads)
        np.add.at(push, a, force)
        np.add.at(push, b, -force)
        for i, rod in enumerate(living):
            own = np.s_[count * i : count * (i + 1)]
            levers = beads[own] - rod.center
            twist = np.mean(levers[:, 0] * push[own, 1] - levers[:, 1] * push[own, 0])
            rod.center = np.clip(rod.center + push[own].mean(axis=0), 0, size - 1)
            rod.angle -= float(np.clip(twist / (rod.half**2 + radius**2), -0.2, 0.2))


def _draw(living: list[_Rod], radius: float, height: int, width: int) -> tuple[Floats, Counts]:
    """Return thickness, where a mean rod is 1 in its middle, and the labels."""
    body, best = np.zeros((height, width), np.float32), np.full((height, width), radius, np.float32)
    labels = np.zeros((height, width), np.uint16)
    for rod in living:
        reach = rod.half + radius + 3
        (top, left), (bottom, right) = (np.maximum(rod.center + s * reach, 0).astype(int) for s in (-1, 1))
        window = np.s_[top : bottom + 1, left : right + 1]
        down, across = np.ogrid[: min(bottom + 1, height) - top, : min(right + 1, width) - left]
        dy, dx = down + top - rod.center[0], across + left - rod.center[1]
        sin, cos = rod.axis
        along = np.clip(sin * dy + cos * dx, -rod.half, rod.half)
        away = np.hypot(dy - sin * along, dx - cos * along).astype(np.float32)
        labels[window][away < best[window]] = rod.label
        best[window] = np.minimum(best[window], away)
        dome = np.sqrt(np.clip(1 - (away / radius) ** 2, 0, 1)) * np.float32(rod.brightness)
        body[window] = np.maximum(body[window], dome)
    keep_whole(labels)
    return body, labels
