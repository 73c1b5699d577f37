"""Movies from one annotated still: every object is cut out and goes its own way, some divide."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from napari_sam2.training.cutouts import Cutout, LabelArray, Path, cut_out, find_ground, paint


def collage(
    rng: np.random.Generator, image: npt.NDArray[np.uint8], labels: LabelArray, frames: int
) -> tuple[npt.NDArray[np.uint8], LabelArray]:
    """Let the objects of a still move independently, change brightness and now and then divide.

    Recordings of moving nuclei with truth are short and few; annotated stills are many. Fluorescence adds up,
    so objects are lifted off their ground as the light that they add and put back elsewhere.

    Parameters
    ----------
    rng
        Draws paths, gains and divisions.
    image, labels
        (H, W) and (H, W), 0 for the ground.
    frames
        How many frames to make.

    Returns
    -------
    tuple of ndarray
        Frames uint8 (T, H, W) and labels uint16 (T, H, W). Where one divides, one daughter keeps the label
        and the other gets a new one.
    """
    height, width = labels.shape
    ground = find_ground(rng, image.astype(np.float32), labels)
    cutouts = cut_out(image.astype(np.float32) - ground, labels)
    pace, contrast = rng.uniform(0.02, 0.3), rng.uniform(0, 0.6)
    fresh = int(labels.max()) + 1
    movie = np.repeat(ground[None], frames, axis=0)
    truth = np.zeros((frames, height, width), np.uint16)
    for label, cutout in cutouts.items():
        gain = float(np.clip(math.exp(rng.normal(0, contrast)), 0.25, 2.5))
        path = _wander(rng, label, cutout, frames, pace, gain)
        paths = [path]
        if rng.random() < 0.12 and cutout.radius > 3:
            paths = _divide(rng, path, cutout, int(rng.integers(-2, frames)), fresh)
            fresh += 1
        for one in paths:
            for t in np.nonzero(one.seen)[0]:
                paint(movie[t], truth[t], cutout, one, int(t))
    return np.clip(np.rint(movie), 0, 255).astype(np.uint8), truth


def _wander(
    rng: np.random.Generator, label: int, cutout: Cutout, frames: int, pace: float, gain: float
) -> Path:
    speed = pace * cutout.radius * rng.uniform(0.2, 2.0)
    heading = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.5, frames))
    steps = speed * np.stack((np.sin(heading), np.cos(heading)), axis=1)
    steps[0] = 0
    centres = np.array([cutout.y, cutout.x]) + np.cumsum(steps, axis=0)
    angles = np.cumsum(rng.normal(0, 0.06, frames)) * rng.random()
    grow = np.exp(np.cumsum(rng.normal(0, 0.03, (frames, 2)), axis=0))
    gains = gain * np.exp(np.cumsum(rng.normal(0, 0.05, frames)))
    return Path(
        label,
        centres,
        (angles - angles[0]),
        (grow / grow[0]),
        gains,
        np.ones(frames, bool),
    )


def _divide(rng: np.random.Generator, path: Path, cutout: Cutout, at: int, fresh: int) -> list[Path]:
    """Mitosis: the nucleus condenses to a bright plate, two bright halves part and slowly swell again."""
    frames = len(path.gains)
    time = np.arange(frames)
    axis = rng.uniform(0, math.pi)
    condensing = np.clip(1 - (at - time) / 3, 0, 1) * (time < at)
    plate = np.stack((1 - 0.6 * condensing, 1 - 0.1 * condensing), axis=1)
    turned = path.angles * (1 - condensing) + axis * condensing
    glow = 1 + rng.uniform(0.5, 2.0) * condensing
    mother = Path(path.label, path.centres, turned, path.axes * plate, path.gains * glow, time < at)
    made = [mother] if mother.seen.any() else []
    age = np.maximum(time - at, 0)
    swell = 1 - np.exp(-age / rng.uniform(2, 8))
    apart = cutout.radius * (0.55 + 0.9 * (1 - np.exp(-(age + 0.3) / 1.5)))
    bright = 1 + rng.uniform(0.4, 1.5) * (1 - swell)
    across = np.array([math.cos(axis), -math.sin(axis)])
    for side, label in ((-1, path.label), (1, fresh)):
        lengths = np.stack((0.35 + 0.4 * swell, 0.6 + 0.12 * swell), axis=1)
        centres = path.centres + side * apart[:, None] * across
        tilt = axis + rng.normal(0, 0.15) + 0.02 * age * rng.normal()
        made.append(
            Path(
                label,
                centres,
                np.broadcast_to(tilt, frames),
                (path.axes * lengths),
                (path.gains * bright),
                time >= at,
            )
        )
    return made
