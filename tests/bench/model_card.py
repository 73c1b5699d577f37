"""What a model makes of made scenes, good and bad: ``python tests/bench/model_card.py OUT.jpg``.

A row shows the first and the last frame of one scene. Up to four objects were clicked once, in the middle, on
the first frame and followed; red is what was found, white dots outline the truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy import ndimage

from napari_sam2 import VideoTracker, load_model
from napari_sam2.evaluation.metrics import iou
from napari_sam2.imaging.scenes import Family, scene
from napari_sam2.inference.simulated_user import first_click

FRAMES, SIDE, OBJECTS = 8, 192, 4
SHOWN = (0, 7)
FAMILIES = (
    Family.NUCLEI,
    Family.PHASE_CELLS,
    Family.YEAST,
    Family.EPITHELIUM,
    Family.NUCLEI_STACK,
    Family.EM_STACK,
)


def outline(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that touch its outside."""
    return mask & ~ndimage.binary_erosion(mask)


def gray(frame: np.ndarray) -> np.ndarray:
    """A frame as RGB bytes, stretched between its percentiles."""
    low, high = np.percentile(frame, (0.5, 99.5))
    scaled = np.clip((frame.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1)
    return np.repeat((255 * scaled).astype(np.uint8)[..., None], 3, axis=-1)


def row(tracker: VideoTracker, family: Family, seed: int) -> tuple[np.ndarray, float]:
    """Two frames side by side, and the mean IoU of the followed objects."""
    phantom = scene(np.random.default_rng(seed), family, FRAMES, SIDE, SIDE)
    first = phantom.labels[0]
    numbers = [n for n in np.unique(first[first > 0]) if (first == n).sum() > 60][:OBJECTS]
    state = tracker.start(phantom.images)
    for number in numbers:
        tracker.prompt(state, 0, int(number), clicks=[first_click(first == number)])
    tiles, scores = [], []
    for result in tracker.propagate(state):
        truth, found = phantom.labels[result.frame], result.labels()
        picture = gray(phantom.images[result.frame])
        for number in numbers:
            if (truth == number).any():
                scores.append(iou(truth == number, found == number))
            dots = outline(truth == number)
            dots[::2, ::2] = dots[1::2, 1::2] = False
            picture[dots] = 255
            picture[outline(found == number)] = (255, 40, 40)
        if result.frame in SHOWN:
            tiles.append(np.pad(picture, ((2, 2), (2, 2), (0, 0)), constant_values=255))
    return np.concatenate(tiles, axis=1), float(np.mean(scores))


def main(
    out: Annotated[Path, typer.Argument(help="Picture to write.")],
    model: Annotated[str, typer.Option(help="Name or file of the model.")] = "nano",
    seed: int = 7,
) -> None:
    """Draw the picture and print the figures, one a row."""
    from PIL import Image

    tracker = VideoTracker(load_model(model))
    rows = []
    for family in FAMILIES:
        picture, score = row(tracker, family, seed)
        rows.append(picture)
        print(f"{family.value}: mean IoU {score:.2f}", flush=True)
    half = (len(rows) + 1) // 2
    columns = [np.concatenate(rows[:half]), np.concatenate(rows[half:])]
    sheet = np.concatenate(columns, axis=1)
    Image.fromarray(sheet).save(out, quality=80)


if __name__ == "__main__":
    typer.run(main)
