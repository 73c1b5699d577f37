"""Made nuclei: what stays their own for life, how they move, divide, keep apart and are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_sam2.imaging.optics import Counts, Floats, Points, texture

CONDENSING = 3  # frames in which a mother condenses and brightens
RELAXING = 7  # frames in which a daughter grows to its full size
HARMONICS = np.arange(2, 7)  # waves round an outline


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


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The canvas round one outline: `ratio` is 0 in its middle and 1 on it, `v` and `u` are its axes."""

    rows: slice
    columns: slice
    ratio: Floats
    v: Floats
    u: Floats


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
    for _ in range(8):
        gaps = centers[:, None] - centers[None]
        distance = np.linalg.norm(gaps, axis=2) + np.diag(np.full(len(living), np.inf))
        push = 0.3 * np.clip(1.02 * (extent[:, None] + extent[None]) - distance, 0, None)
        centers += (np.minimum(push / np.maximum(distance, 1e-6), 1)[:, :, None] * gaps).sum(axis=1)
        centers = np.clip(centers, margin, size - 1 - margin)
    for nucleus, center in zip(living, centers, strict=True):
        nucleus.center = center


def move(rng: np.random.Generator, nucleus: Nucleus, speed: float) -> None:
    """Let a nucleus take one frame's step: it drifts, turns and changes its outline."""
    nucleus.velocity = 0.85 * nucleus.velocity + rng.normal(0, 0.37 * speed, 2)
    nucleus.center = nucleus.center + nucleus.velocity
    nucleus.spin = 0.9 * nucleus.spin + rng.normal(0, 0.012)
    nucleus.angle += nucleus.spin
    nucleus.phases = nucleus.phases + nucleus.drift


def outline_patch(nucleus: Nucleus, frame: int, height: int, width: int) -> Patch:
    """Return the canvas round a nucleus, as far as it lies in the frame."""
    mitosis = nucleus.mitosis(frame)
    long = nucleus.radius / np.sqrt(nucleus.aspect) * (1 - 0.22 * mitosis)
    short = nucleus.radius * np.sqrt(nucleus.aspect) * (1 - 0.55 * mitosis)
    reach, (y, x) = 1.6 * long + 4, nucleus.center
    rows = slice(max(0, int(y - reach)), min(height, int(y + reach) + 2))
    columns = slice(max(0, int(x - reach)), min(width, int(x + reach) + 2))
    down, right = np.ogrid[rows, columns]
    dy, dx = (down - y).astype(np.float32), (right - x).astype(np.float32)
    cos, sin = np.float32(np.cos(nucleus.angle)), np.float32(np.sin(nucleus.angle))
    u, v = (cos * dx + sin * dy) / np.float32(long), (cos * dy - sin * dx) / np.float32(short)
    # The outline is tabulated over the angle: 256 steps are finer than a pixel.
    turns = HARMONICS[:, None] * np.linspace(-np.pi, np.pi, 257) + nucleus.phases[:, None]
    outline = (1 + np.clip(nucleus.amplitudes @ np.cos(turns), -0.45, 0.5)).astype(np.float32)
    step = (np.arctan2(v, u) * (128 / np.pi) + 128.5).astype(np.intp)
    return Patch(rows, columns, np.hypot(u, v) / outline[step], v, u)


def claim(nucleus: Nucleus, patch: Patch, labels: Counts, best: Floats) -> npt.NDArray[np.bool_]:
    """Label the pixels that lie in the outline and nearer to its middle than to another's; return them."""
    window = np.s_[patch.rows, patch.columns]
    inside: npt.NDArray[np.bool_] = patch.ratio < best[window]
    labels[window][inside] = nucleus.label
    best[window] = np.minimum(best[window], patch.ratio)
    return inside


def draw(living: list[Nucleus], height: int, width: int, frame: int) -> tuple[Floats, Counts]:
    """Return the fluorescence, where a mean nucleus is 1, and the labels."""
    signal, best = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    labels = np.zeros((height, width), np.uint16)
    for nucleus in living:
        patch, mitosis = outline_patch(nucleus, frame, height, width), nucleus.mitosis(frame)
        inside = claim(nucleus, patch, labels, best)
        rows, columns = (np.clip(w[inside] * 19 + 24, 0, 47).astype(np.intp) for w in (patch.v, patch.u))
        chromatin = np.clip(1 + (0.17 - 0.08 * mitosis) * nucleus.texture[rows, columns], 0.3, 2)
        dome = nucleus.brightness * (1 + 1.3 * mitosis) * (1 - 0.3 * patch.ratio[inside] ** 2)
        signal[patch.rows, patch.columns][inside] = dome * chromatin
    return signal, labels
