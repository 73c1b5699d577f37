"""Procedural microscopy with exact truth, for sample data, tests and training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.errors import ImageError

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint16]

CONDENSING = 3  # frames in which a mother condenses and brightens
RELAXING = 7  # frames in which a daughter grows to its full size
HARMONICS = np.arange(2, 7)  # waves round an outline


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


@dataclass(slots=True, eq=False)
class _Nucleus:
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
class _Patch:
    """The canvas round one outline: `ratio` is 0 in its middle and 1 on it, `v` and `u` are its axes."""

    rows: slice
    columns: slice
    ratio: Floats
    v: Floats
    u: Floats


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
    _check_room(frames, height, width, objects + divisions / 2, radius)
    if not 0 <= divisions <= objects or (divisions and frames < 2):
        raise ImageError(
            f"{divisions} division(s) of {objects} nuclei in {frames} frame(s) cannot be: "
            "each nucleus divides at most once, and a division needs a frame before it."
        )
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    centers = _scatter(rng, objects, size, 2.3 * radius)
    living = [_nucleus(rng, label, center, radius, speed) for label, center in enumerate(centers, 1)]
    times = np.linspace(max(1, frames // 6), max(2, frames - frames // 5), divisions + 2)[1:-1]
    for mother, time in zip(rng.permutation(objects)[:divisions], times, strict=True):
        living[int(mother)].divides = int(time)
    ground = _illumination(rng, height, width)
    images, labels = np.empty((2, frames, height, width), np.uint16)
    parents: dict[int, int] = {}
    for t in range(frames):
        for mother in [nucleus for nucleus in living if nucleus.divides == t]:
            daughters = _divide(rng, mother, objects + len(parents) + 1, t)
            living = [nucleus for nucleus in living if nucleus is not mother] + daughters
            parents.update({daughter.label: mother.label for daughter in daughters})
        _push_apart(living, size, t)
        signal, labels[t] = _draw(living, height, width, t)
        # Light from out of focus reaches far, so a coarse copy carries it.
        glow = ndimage.gaussian_filter(signal[::4, ::4], 4)
        glow = ndimage.zoom(glow, (height / glow.shape[0], width / glow.shape[1]), order=1)
        light = (ndimage.gaussian_filter(signal, 0.9) + 0.12 * glow + 0.08) * ground
        images[t] = _camera(rng, light, photons)
        for nucleus in living:
            _move(rng, nucleus, speed)
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
    ground = rng.uniform(0.03, 0.2) * _texture(rng, height, width, rng.uniform(1, 12))
    ground += rng.uniform(0, 0.4) * (_illumination(rng, height, width) - 1)
    contrast = rng.uniform(0.35, 1.0) * (1 if polarity == "bright" else -1)
    labels = np.zeros((height, width), np.uint16)
    best = np.ones((height, width), np.float32)
    scene = ground.copy()
    for label, center in enumerate(_scatter(rng, objects, np.array([height, width]), 0.8 * spacing), 1):
        blob = _nucleus(rng, label, center, radius * rng.uniform(0.6, 1.3), 0)
        blob.aspect = rng.uniform(0.4, 1.0)
        blob.amplitudes *= rng.uniform(0.5, 5.0)
        patch = _outline(blob, 0, height, width)
        window = np.s_[patch.rows, patch.columns]
        inside = _claim(blob, patch, labels, best)
        level = contrast * rng.uniform(0.6, 1.2) * (0.1 if polarity == "rim" else 1)
        surface = level * (1 - rng.uniform(0, 0.6) * patch.ratio**2) + rng.uniform(0, 0.8) * ground[window]
        if rng.random() < 0.25:
            grain = np.sin(rng.uniform(4, 14) * (patch.u * rng.random() + patch.v))
        else:
            grain = _texture(rng, patch.u.shape[0], patch.u.shape[1], rng.uniform(0.8, 4))
        scene[window][inside] = (surface + rng.uniform(0, 0.3) * grain)[inside]
        if polarity == "rim" or rng.random() < 0.2:
            beyond = (patch.ratio - 1) * blob.radius
            halo = np.exp(-(((beyond - 1.5) / 1.8) ** 2)) - 0.7 * np.exp(-(((beyond + 1.5) / 1.5) ** 2))
            scene[window] += abs(contrast) * halo
    scene = ndimage.gaussian_filter(scene, rng.uniform(0.5, 1.6))
    scene = (scene - scene.min()) / max(float(np.ptp(scene)), 1e-6)
    return Phantom(_camera(rng, scene + 0.08, 10 ** rng.uniform(1.8, 3.5))[None], labels[None], {})


def _check_room(frames: int, height: int, width: int, objects: float, radius: float) -> None:
    covered = objects * np.pi * radius**2 / (height * width) if min(height, width) >= 16 else 1.0
    if frames < 1 or objects < 0 or radius < 2 or covered > 0.5:
        raise ImageError(
            f"{objects:g} object(s) of radius {radius:.1f} do not fit {frames} frame(s) of {height} x "
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


def _nucleus(rng: np.random.Generator, label: int, center: Points, radius: float, speed: float) -> _Nucleus:
    chromatin = _texture(rng, 48, 48, 1.5) + 0.6 * _texture(rng, 48, 48, 3.5)
    rows, columns = np.ogrid[-1:1:48j, -1:1:48j]
    for y, x in rng.uniform(-0.6, 0.6, (int(rng.integers(1, 5)), 2)):
        nucleolus = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * rng.uniform(0.07, 0.14) ** 2))
        chromatin -= (2.2 * nucleolus).astype(np.float32)
    return _Nucleus(
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


def _divide(rng: np.random.Generator, mother: _Nucleus, label: int, frame: int) -> list[_Nucleus]:
    """Return two daughters, side by side along the mother's short axis and leaving each other."""
    across = np.array([np.cos(mother.angle), -np.sin(mother.angle)]) * mother.radius
    daughters = []
    for i, side in enumerate((-1, 1)):
        daughter = _nucleus(rng, label + i, mother.center + side * 0.5 * across, 1, 0)
        daughter.radius = 0.84 * mother.radius
        daughter.angle = mother.angle + rng.normal(0, 0.1)
        daughter.brightness = mother.brightness * rng.uniform(0.85, 1.1)
        daughter.velocity = mother.velocity + side * 0.16 * across
        daughter.born = frame
        daughters.append(daughter)
    return daughters


def _push_apart(living: list[_Nucleus], size: Points, frame: int) -> None:
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


def _move(rng: np.random.Generator, nucleus: _Nucleus, speed: float) -> None:
    nucleus.velocity = 0.85 * nucleus.velocity + rng.normal(0, 0.37 * speed, 2)
    nucleus.center = nucleus.center + nucleus.velocity
    nucleus.spin = 0.9 * nucleus.spin + rng.normal(0, 0.012)
    nucleus.angle += nucleus.spin
    nucleus.phases = nucleus.phases + nucleus.drift


def _outline(nucleus: _Nucleus, frame: int, height: int, width: int) -> _Patch:
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
    return _Patch(rows, columns, np.hypot(u, v) / outline[step], v, u)


def _claim(nucleus: _Nucleus, patch: _Patch, labels: Counts, best: Floats) -> npt.NDArray[np.bool_]:
    """Label the pixels that lie in the outline and nearer to its middle than to another's; return them."""
    window = np.s_[patch.rows, patch.columns]
    inside: npt.NDArray[np.bool_] = patch.ratio < best[window]
    labels[window][inside] = nucleus.label
    best[window] = np.minimum(best[window], patch.ratio)
    return inside


def _draw(living: list[_Nucleus], height: int, width: int, frame: int) -> tuple[Floats, Counts]:
    """Return the fluorescence, where a mean nucleus is 1, and the labels."""
    signal, best = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    labels = np.zeros((height, width), np.uint16)
    for nucleus in living:
        patch, mitosis = _outline(nucleus, frame, height, width), nucleus.mitosis(frame)
        inside = _claim(nucleus, patch, labels, best)
        rows, columns = (np.clip(w[inside] * 19 + 24, 0, 47).astype(np.intp) for w in (patch.v, patch.u))
        chromatin = np.clip(1 + (0.17 - 0.08 * mitosis) * nucleus.texture[rows, columns], 0.3, 2)
        dome = nucleus.brightness * (1 + 1.3 * mitosis) * (1 - 0.3 * patch.ratio[inside] ** 2)
        signal[patch.rows, patch.columns][inside] = dome * chromatin
    return signal, labels


def _texture(rng: np.random.Generator, height: int, width: int, grain: float) -> Floats:
    """Return smooth noise of mean 0 and deviation 1 with grains of `grain` pixels."""
    noise = ndimage.gaussian_filter(rng.standard_normal((height, width), np.float32), grain, mode="wrap")
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6), np.float32)


def _illumination(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Return slowly varying brightness round 1."""
    coarse = ndimage.zoom(rng.uniform(0.7, 1.3, (4, 4)), 8, order=3)
    return np.asarray(ndimage.zoom(coarse, (height / 32, width / 32), order=1), np.float32)


def _camera(rng: np.random.Generator, light: Floats, photons: float) -> Counts:
    """Return counts for light in units of `photons`: shot noise, read noise, gain and offset."""
    expected = photons * np.maximum(light, 0)
    # Normal noise of the same variance stands in for Poisson noise, at a fifth of its time.
    noise = np.sqrt(expected + 2.5) * rng.standard_normal(light.shape, np.float32)
    return np.clip(100 + 8 * (expected + noise), 0, 65535).astype(np.uint16)
