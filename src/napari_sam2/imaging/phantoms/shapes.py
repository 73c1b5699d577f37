"""Textured shapes over textured ground: one image of them, and a movie in which they pass each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_sam2.imaging.optics import Floats, Points, blur, camera, illumination, texture, waves
from napari_sam2.imaging.phantoms.nuclei import Nucleus, make_nucleus
from napari_sam2.imaging.phantoms.outline import Outline, claim, coverage, scatter
from napari_sam2.imaging.phantoms.phantom import Phantom, check_room, check_size


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
    check_room(1, height, width, objects, radius)
    polarity = ("bright", "dark", "rim")[int(rng.integers(3))]
    ground = rng.uniform(0.03, 0.2) * texture(rng, height, width, rng.uniform(1, 12))
    ground += rng.uniform(0, 0.4) * (illumination(rng, height, width) - 1)
    contrast = rng.uniform(0.35, 1.0) * (1 if polarity == "bright" else -1)
    labels = np.zeros((height, width), np.uint16)
    best = np.ones((height, width), np.float32)
    scene = ground.copy()
    for label, center in enumerate(scatter(rng, objects, np.array([height, width]), 0.8 * spacing), 1):
        blob = make_nucleus(rng, label, center, radius * rng.uniform(0.6, 1.3), 0)
        blob.aspect = rng.uniform(0.4, 1.0)
        blob.amplitudes *= rng.uniform(0.5, 5.0)
        patch = blob.outline(0).patch(height, width)
        window = np.s_[patch.rows, patch.columns]
        inside = claim(label, patch, labels, best)
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


@dataclass(slots=True, eq=False)
class _Shape:
    """A cut-out with its own surface: where it is, how it moves, turns, swells and how light it is."""

    body: Nucleus
    surface: Floats
    tone: float
    contrast: float
    swell: float
    power: float


def passing_shapes(
    frames: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 7,
    seed: int = 0,
    radius: float = 20.0,
    speed: float = 2.5,
    photons: float = 600.0,
) -> Phantom:
    """Return textured shapes that glide over textured ground, in front of each other, and leave and come.

    The label is what is seen: a shape behind another may be cut in pieces or hidden for a while.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects
        Shapes, labelled from 1; a higher number lies in front.
    seed
        The same seed gives the same scene.
    radius, speed
        Mean radius in pixels, and typical movement in pixels a frame.
    photons
        Photons a pixel from middle grey: fewer are noisier.

    Raises
    ------
    ImageError
        There is no frame, or it is smaller than 16 x 16 pixels.
    """
    check_size(frames, height, width, objects)
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    shapes = [_cut_out(rng, i + 1, rng.uniform(0, 1, 2) * size, radius, speed) for i in range(objects)]
    fine = waves(rng, (height, width), (rng.uniform(3, 8),) * 2)
    coarse = waves(rng, (height, width), (40.0, 40.0))
    ground = 0.5 + 0.13 * coarse + np.float32(rng.uniform(0.02, 0.12)) * fine
    pan = rng.normal(0, 0.5 * speed, 2)
    soft = rng.uniform(0.5, 1.2)
    images, labels = np.zeros((2, frames, height, width), np.uint16)
    for t in range(frames):
        back = ndimage.shift(ground, pan * t, order=1, mode="mirror")
        scene = np.clip(back, 0.05, 1.2)
        for shape in shapes:
            body = shape.body
            long, short = body.radius / np.sqrt(body.aspect), body.radius * np.sqrt(body.aspect)
            waves_ = body.amplitudes, body.phases
            patch = Outline(body.center, body.angle, long, short, *waves_, shape.power).patch(height, width)
            window = np.s_[patch.rows, patch.columns]
            labels_here = patch.ratio < 1
            labels[t][window][labels_here] = body.label
            place = tuple(np.clip(w * 24 + 32, 0, 63).astype(np.intp) for w in (patch.v, patch.u))
            shade = 1 - np.float32(0.3) * np.minimum(patch.ratio, 1) ** 4
            paint = shade * (shape.tone + shape.contrast * shape.surface[place])
            scene[window] += coverage(patch, short) * (np.maximum(paint, 0.02) - scene[window])
            _glide(rng, shape, speed)
        images[t] = camera(rng, blur(scene, soft), 2 * photons)
    return Phantom(images, labels, {})


def _cut_out(rng: np.random.Generator, label: int, center: Points, radius: float, speed: float) -> _Shape:
    body = make_nucleus(rng, label, center, radius, 2 * speed)
    body.radius *= rng.uniform(0.5, 1.4)
    body.aspect, body.drift = rng.uniform(0.35, 1.0), 0.3 * body.drift
    body.amplitudes = np.clip(body.amplitudes * rng.uniform(0.5, 4.5), -0.3, 0.3)
    surface = waves(rng, (64, 64), (rng.uniform(3, 10), rng.uniform(3, 20)))
    if rng.random() < 0.3:
        rows, columns = np.ogrid[:64, :64]
        stripes = np.sin(rng.uniform(0.2, 0.9) * (rows + rng.uniform(-1, 1) * columns))
        surface = np.asarray(0.4 * surface + 1.2 * stripes, np.float32)
    contrast = rng.uniform(0.02, 0.13)
    return _Shape(
        body, surface, rng.uniform(0.12, 0.95), contrast, rng.normal(0, 0.015), rng.choice([2.0, 4.0])
    )


def _glide(rng: np.random.Generator, shape: _Shape, speed: float) -> None:
    body = shape.body
    body.velocity = 0.95 * body.velocity + rng.normal(0, 0.2 * speed, 2)
    body.center = body.center + body.velocity
    body.spin = 0.9 * body.spin + rng.normal(0, 0.02)
    body.angle += body.spin
    body.phases = body.phases + body.drift
    body.radius = max(3.0, body.radius * (1 + shape.swell))
