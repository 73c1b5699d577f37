"""Filaments: thin, wavy threads that grow at one end and shrink, as microtubules do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.imaging.optics import Counts, Floats, Points, blur, camera, illumination
from napari_sam2.imaging.phantoms.phantom import Phantom, check_size

STEP = 0.5  # pixels between two points of a thread


@dataclass(slots=True, eq=False)
class _Thread:
    """The whole possible path of a filament, and which part of it is there now, counted in steps."""

    path: Points
    sway: Points
    tail: float
    head: float
    pace: float
    brightness: float


def filaments(
    frames: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 8,
    seed: int = 0,
    thickness: float = 3.0,
    length: float = 90.0,
    speed: float = 2.0,
    photons: float = 120.0,
) -> Phantom:
    """Return bright threads that sway, grow and shrink.

    Where threads cross their light adds up, and the crossing belongs to the one of the higher number: the
    label of the other one is interrupted there.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects
        Threads, labelled from 1.
    seed
        The same seed gives the same scene.
    thickness, length
        Of a thread, in pixels; lengths vary.
    speed
        Typical growth of an end in pixels a frame.
    photons
        Photons a pixel from a mean thread: fewer are noisier.

    Raises
    ------
    ImageError
        There is no frame, or it is smaller than 16 x 16 pixels.
    """
    check_size(frames, height, width, objects)
    rng = np.random.default_rng(seed)
    threads = [_spin(rng, height, width, length, speed) for _ in range(objects)]
    light = illumination(rng, height, width)
    images, labels = np.empty((2, frames, height, width), np.uint16)
    for t in range(frames):
        signal, labels[t] = _draw(rng, threads, height, width, thickness, t)
        seen = blur(signal, 0.8, 4.0, 0.25) + np.float32(0.1)
        images[t] = camera(rng, seen * light, photons)
        for thread in threads:
            thread.head = float(np.clip(thread.head + thread.pace / STEP, 8, len(thread.path)))
            thread.tail = float(np.clip(thread.tail + rng.normal(0, 0.5), 0, thread.head - 8))
            # Catastrophe and rescue: an end that grew begins to shrink, and the other way round.
            if rng.random() < 0.12:
                thread.pace = -thread.pace
    return Phantom(images, labels, {})


def _spin(rng: np.random.Generator, height: int, width: int, length: float, speed: float) -> _Thread:
    steps = int(length * rng.uniform(0.9, 1.8) / STEP)
    bend = np.cumsum(rng.normal(0, 0.012, steps)) * 0.35
    turn = rng.uniform(0, 2 * np.pi) + np.cumsum(bend) * STEP * 0.25
    way = np.stack([np.sin(turn), np.cos(turn)], 1) * STEP
    path = np.cumsum(way, axis=0)
    path += rng.uniform(0.1, 0.9, 2) * (height, width) - path[steps // 2]
    tail = rng.uniform(0, 0.15) * steps
    head = rng.uniform(0.6, 1.0) * steps
    pace = speed * rng.normal(0, 1)
    return _Thread(
        path, rng.normal(0, 1, 4), tail, head, pace, float(np.clip(rng.lognormal(0, 0.4), 0.4, 2.5))
    )


def _draw(
    rng: np.random.Generator, threads: list[_Thread], height: int, width: int, thickness: float, frame: int
) -> tuple[Floats, Counts]:
    """Return the light, about 1 on a mean thread, and the labels."""
    signal = np.zeros(height * width, np.float32)
    labels = np.zeros((height, width), np.uint16)
    reach = int(np.ceil(thickness / 2))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    for label, thread in enumerate(threads, 1):
        a, b, c, d = thread.sway
        along = np.arange(len(thread.path)) * STEP
        swing = 1.5 * np.sin(0.05 * along + 0.3 * c * frame + a)[:, None] * np.array([b, d])
        points = (thread.path + swing)[int(thread.tail) : int(thread.head)]
        pixels = np.rint(points).astype(np.intp)
        # Each point stands for its neighbourhood: those pixels of it that are near enough are the thread's.
        y, x = pixels[:, :1] + dy, pixels[:, 1:] + dx
        near = np.hypot(y - points[:, :1], x - points[:, 1:]) <= thickness / 2
        near &= (y >= 0) & (y < height) & (x >= 0) & (x < width)
        own = np.unique(y[near] * width + x[near])
        labels.reshape(-1)[own] = label
        grain = 1 + 0.2 * rng.standard_normal(len(own), np.float32)
        signal[own] += np.float32(thread.brightness) * grain
    return signal.reshape(height, width), labels
