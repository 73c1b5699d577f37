"""What the embedded model reaches on real images: ``python tests/bench/quality.py DATA``.

One click in the middle of each nucleus, on still images and through a time-lapse. DATA is a folder with
``nuclei_2d_dsb2018`` (``*_image.png``, ``*_labels.png``) and ``nuclei_2dt_mitocheck`` and
``nuclei_2dt_cancer_cell_migration`` (``image.tif``, ``labels_derived.tif``, ``tracks.csv``). Prints a table.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tifffile
import torch
import typer
from PIL import Image

from napari_sam2 import VideoTracker, load_model
from napari_sam2.inference.focus import FocusPredictor
from napari_sam2.inference.simulated_user import first_click, next_click
from napari_sam2.model.sam2 import SAM2

Array = np.ndarray[Any, Any]


def iou(a: Array, b: Array) -> float:
    """Overlap of two masks; 1 where both are empty."""
    either = (a | b).sum()
    return float((a & b).sum() / either) if either else 1.0


def stills(model: SAM2, folder: Path, clicks: int = 3) -> Array:
    """IoU of every nucleus after 1 .. `clicks` clicks, each in a window that fits it, (nuclei, clicks)."""
    predictor, rows = FocusPredictor(model), []
    for path in sorted(folder.glob("*_image.png")):
        image = np.asarray(Image.open(path))
        labels = np.asarray(Image.open(path.with_name(path.name.replace("_image", "_labels"))))
        predictor.set_image(image)
        own = []
        for number in np.unique(labels[labels > 0]):
            truth = labels == number
            given, found, scores = (first_click(truth),), None, []
            for _ in range(clicks):
                found = predictor.predict(given, before=found)
                scores.append(iou(truth, found.mask))
                given = (*given, next_click(truth, found.mask))
            own.append(scores)
        print(f"  {path.name}: {len(own)} nuclei, mean IoU {np.round(np.mean(own, axis=0), 3)}", flush=True)
        rows += own
    return np.array(rows)


def movie(model: SAM2, folder: Path) -> list[float]:
    """Mean IoU over its frames of every clean track, each from one click on its first frame."""
    image, labels = (tifffile.imread(folder / name) for name in ("image.tif", "labels_derived.tif"))
    with (folder / "tracks.csv").open() as file:
        clean = [int(next(iter(row.values()))) for row in csv.DictReader(file) if row["clean"] == "1"]
    tracker = VideoTracker(model)
    state = tracker.start(image)
    for number in clean:
        first = int(np.argmax((labels == number).any(axis=(1, 2))))
        tracker.prompt(state, first, number, clicks=[first_click(labels[first] == number)])
    scores: dict[int, list[float]] = {number: [] for number in clean}
    for result in tracker.propagate(state):
        found = result.labels()
        for number in clean:
            truth = labels[result.frame] == number
            if truth.any():
                scores[number].append(iou(truth, found == number))
    means = [float(np.mean(values)) for values in scores.values()]
    print(f"  {folder.name}: {np.round(means, 2).tolist()}", flush=True)
    return means


def main(
    data: Annotated[Path, typer.Argument(help="Folder with the annotated images.")],
    model: Annotated[str, typer.Option(help="Name or file of the model.")] = "nano",
    threads: int = 2,
) -> None:
    """Print the table."""
    torch.set_num_threads(threads)
    network = load_model(model)
    still = stills(network, data / "nuclei_2d_dsb2018")
    rows = [(f"nuclei on still images, clicks: {k + 1}", len(still), still[:, k].mean()) for k in range(3)]
    for name in ("nuclei_2dt_mitocheck", "nuclei_2dt_cancer_cell_migration"):
        means = movie(network, data / name)
        rows.append((f"{name}, one click on the first frame", len(means), float(np.mean(means))))
    print("\n| task | objects | mean IoU |\n|---|---|---|")
    for task, count, value in rows:
        print(f"| {task} | {count} | {value:.3f} |")


if __name__ == "__main__":
    typer.run(main)
