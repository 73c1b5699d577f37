"""Made nuclei: what stays their own for life, how they move, divide, keep apart and are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.imaging.optics import Counts, Floats, Points, texture
from napari_sam2.imaging.phantoms.outline import HARMONICS, Outline, claim, separate

CONDENSING = 3  # frames in which a mother condenses and brightens
RELAXING = 7  # frames in which a daughter grows to its full size


@dataclass(slots=True, eq=False)
class Nucleus:
    """One nucleus: where it is now, and what stays its own for life."""

    label: int
    center: Points
    velocity: Points
    angle: float
    spin: float
    radius: float
    aspect: float
    brightness: float
    amplitudes: Points
    phases: Points
    drift: Points
    texture: Floats
    born: int = -10_000
    divides: int = 10_000

    def mitosis(self, frame: int) -> float:
        """Return how condensed the chromatin is: 0 between divisions, 1 at them."""
        before = 1 - (self.divides - 1 - frame) / CONDENSING
        after = 1 - (frame - self.born) / RELAXING
        return float(np.clip(max(before, after), 0, 1))

    def outline(self, frame: int) -> Outline:
        """Return the outline, smaller and narrower the more condensed the chromatin is."""
        mitosis = self.mitosis(frame)
        long = self.radius / np.sqrt(self.aspect) * (1 - 0.22 * mitosis)
        short = self.radius * np.sqrt(self.aspect) * (1 - 0.55 * mitosis)
        return Outline(self.center, self.angle, long, short, self.amplitudes, self.phases)


def make_nucleus(
    rng: np.random.Generator, label: int, center: Points, radius: float, speed: float
) -> Nucleus:
    """Return a nucleus of random shape, texture and brightness, on its way."""
    chromatin = texture(rng, 48, 48, 1.5) + 0.6 * texture(rng, 48, 48, 3.5)
    rows, columns = np.ogrid[-1:1:48j, -1:1:48j]
    for y, x in rng.uniform(-0.6, 0.6, (int(rng.integers(1, 5)), 2)):
        nucleolus = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * rng.uniform(0.07, 0.14) ** 2))
        chromatin -= (2.2 * nucleolus).astype(np.float32)
    return Nucleus(
        label=label,
        center=center,
        velocity=rng.normal(0, speed / np.sqrt(2), 2),
        angle=rng.uniform(0, np.pi),
        spin=rng.normal(0, 0.03),
        radius=radius * float(np.clip(rng.normal(1, 0.13), 0.7, 1.35)),
        aspect=rng.uniform(0.62, 0.95),
        brightness=float(np.clip(rng.lognormal(0, 0.35), 0.35, 2.0)),
        amplitudes=rng.normal(0, 0.1, len(HARMONICS)) / HARMONICS**1.4,
        phases=rng.uniform(0, 2 * np.pi, len(HARMONICS)),
        drift=rng.normal(0, 0.12, len(HARMONICS)),
        texture=chromatin,
    )


def divide(rng: np.random.Generator, mother: Nucleus, label: int, frame: int) -> list[Nucleus]:
    """Return two daughters, side by side along the mother's short axis and leaving each other."""
    across = np.array([np.cos(mother.angle), -np.sin(mother.angle)]) * mother.radius
    daughters = []
    for i, side in enumerate((-1, 1)):
        daughter = make_nucleus(rng, label + i, mother.center + side * 0.5 * across, 1, 0)
        daughter.radius = 0.84 * mother.radius
        daughter.angle = mother.angle + rng.normal(0, 0.1)
        daughter.brightness = mother.brightness * rng.uniform(0.85, 1.1)
        daughter.velocity = mother.velocity + side * 0.16 * across
        daughter.born = frame
        daughters.append(daughter)
    return daughters


def push_apart(living: list[Nucleus], size: Points, frame: int) -> None:
    """Move overlapping nuclei off each other, and strays back into the frame."""
    centers = np.array([nucleus.center for nucleus in living]).reshape(-1, 2)
    extent = np.array([nucleus.radius * (1 - 0.45 * nucleus.mitosis(frame)) for nucleus in living])
    margin = np.minimum(0.3 * extent[:, None], 0.2 * size)
    centers = separate(centers, extent, margin, size - 1 - margin)
    for nucleus, center in zip(living, centers, strict=True):
        nucleus.center = center


def move(rng: np.random.Generator, nucleus: Nucleus, speed: float) -> None:
    """Let a nucleus take one frame's step: it drifts, turns and changes its outline."""
    nucleus.velocity = 0.85 * nucleus.velocity + rng.normal(0, 0.37 * speed, 2)
    nucleus.center = nucleus.center + nucleus.velocity
    nucleus.spin = 0.9 * nucleus.spin + rng.normal(0, 0.012)
    nucleus.angle += nucleus.spin
    nucleus.phases = nucleus.phases + nucleus.drift


def draw(living: list[Nucleus], height: int, width: int, frame: int) -> tuple[Floats, Counts]:
    """Return the fluorescence, where a mean nucleus is 1, and the labels."""
    signal, best = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    labels = np.zeros((height, width), np.uint16)
    for nucleus in living:
        patch, mitosis = nucleus.outline(frame).patch(height, width), nucleus.mitosis(frame)
        inside = claim(nucleus.label, patch, labels, best)
        rows, columns = (np.clip(w[inside] * 19 + 24, 0, 47).astype(np.intp) for w in (patch.v, patch.u))
        chromatin = np.clip(1 + (0.17 - 0.08 * mitosis) * nucleus.texture[rows, columns], 0.3, 2)
        dome = nucleus.brightness * (1 + 1.3 * mitosis) * (1 - 0.3 * patch.ratio[inside] ** 2)
        signal[patch.rows, patch.columns][inside] = dome * chromatin
    return signal, labels
