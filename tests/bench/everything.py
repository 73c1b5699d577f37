"""All objects without a click: ``python tests/bench/everything.py DATA [--model nano] [--only NAME]``.

DATA holds the annotated folders that are named below. Still images: F1 at an overlap of 0.5 and the
processor's seconds, from the published grid and from seeds. Movies: SEG and TRA of tracking everything,
beside a watershed on every frame whose segments are linked by overlap.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from napari_sam2 import load_model
from napari_sam2.evaluation.tracking import tracking_score
from napari_sam2.inference.everything import Everything
from napari_sam2.inference.everything_policy import EverythingPolicy, SeededPolicy
from napari_sam2.inference.found_masks import FoundMask, flatten
from napari_sam2.inference.matching import match, overlaps
from napari_sam2.inference.seeded import SeededEverything
from napari_sam2.inference.track_everything import TrackEverything
from napari_sam2.inference.track_everything_policy import TrackEverythingPolicy
from napari_sam2.io.datasets import open_dataset
from napari_sam2.model.sam2 import SAM2

STILLS = "nuclei_2d_dsb2018"
MOVIES = ("nuclei_2dt_mitocheck", "nuclei_2dt_cancer_cell_migration")
ENOUGH = 0.5

Segment = Callable[[np.ndarray[Any, Any]], list[FoundMask]]


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def hits(truth: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How many objects were found, how many there are, how many were drawn."""
    table = overlaps(truth, labels)
    return np.array([len(match(table.iou, ENOUGH)), *table.iou.shape])


def f1(counts: np.ndarray[Any, Any]) -> float:
    return float(2 * counts[0] / max(1, counts[1] + counts[2]))


def ways(model: SAM2, grid: bool) -> dict[str, Segment]:
    if not grid:
        return {"seeds": SeededEverything(model).segment}
    loose = SeededPolicy().masks
    same = EverythingPolicy(
        pred_iou_thresh=loose.pred_iou_thresh, stability_score_thresh=loose.stability_score_thresh
    )
    return {
        "grid of 32 x 32, published thresholds": Everything(model).segment,
        "grid of 32 x 32, thresholds as for seeds": Everything(model, same).segment,
        "seeds": SeededEverything(model).segment,
        "seeds, windows of 0.5 of the input at least": SeededEverything(
            model, SeededPolicy(least_window=0.5)
        ).segment,
    }


def stills(data: Path, model: SAM2, grid: bool) -> None:
    """Gray images of the Data Science Bowl: all of them fluorescence."""
    read = [(one.name, *one.read()) for one in open_dataset(data / STILLS)]
    chosen = [(name, pixels[0], labels[0]) for name, pixels, labels in read if pixels.ndim == 3]
    print(f"\n{len(chosen)} fluorescence images, {sum(len(np.unique(t)) - 1 for *_, t in chosen)} nuclei\n")
    print("| | F1 at IoU 0.5 | recall | precision | CPU seconds |\n|---|---|---|---|---|")
    for way, segment in ways(model, grid).items():
        total, seconds = np.zeros(3), 0.0
        for name, image, truth in chosen:
            start = time.process_time()
            labels = flatten(segment(image), truth.shape)
            took = time.process_time() - start
            own = hits(truth, labels)
            tell(f"  {way}, {name}: F1 {f1(own):.3f}, {took:.1f} s")
            total, seconds = total + own, seconds + took
        recall, precision = total[0] / total[1], total[0] / max(1, total[2])
        print(f"| {way} | {f1(total):.3f} | {recall:.3f} | {precision:.3f} | {seconds:.1f} |", flush=True)


def segments(image: np.ndarray[Any, Any], logarithm: bool) -> np.ndarray[Any, Any]:
    """Otsu's threshold, of intensities or their logarithms, and a watershed of distances."""
    smooth = ndimage.gaussian_filter(image.astype(float), 1)
    level = np.log(smooth + 1) if logarithm else smooth
    side = level > threshold_otsu(level)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(np.pad(side, 1))[1:-1, 1:-1], 1)
    parts, _ = ndimage.label(side)
    summits = peak_local_max(depth, min_distance=5, labels=parts, exclude_border=False)
    markers = np.zeros(side.shape, int)
    markers[tuple(summits.T)] = np.arange(1, len(summits) + 1)
    return watershed(-depth, markers, mask=side)


def linked(stack: Sequence[np.ndarray[Any, Any]], least: float = 0.1) -> np.ndarray[Any, Any]:
    """Segments that overlap most from one frame to the next become one object."""
    linked = np.zeros((len(stack), *stack[0].shape), np.uint32)
    count = 0
    for frame, labels in enumerate(stack):
        table = overlaps(linked[frame - 1] if frame else np.zeros_like(linked[0]), labels)
        known = {int(table.columns[c]): int(table.rows[r]) for r, c in match(table.iou, least).items()}
        for number in table.columns.tolist():
            if number not in known:
                count += 1
                known[number] = count
            linked[frame][labels == number] = known[number]
    return linked


def row(name: str, way: str, truth: np.ndarray[Any, Any], found: np.ndarray[Any, Any], start: float) -> None:
    seconds = time.process_time() - start
    score = tracking_score(name, truth, found, range(len(truth)))
    objects = len(np.unique(found)) - 1
    print(f"| {name} | {way} | {score.seg:.3f} | {score.tra:.3f} | {objects} | {seconds:.1f} |", flush=True)


def movies(data: Path, model: SAM2, steps: Sequence[int]) -> None:
    """SEG and TRA of everything that is tracked, all frames and all objects."""
    print("\n| | | SEG | TRA | objects | CPU seconds |\n|---|---|---|---|---|---|")
    for name in MOVIES:
        frames, truth = open_dataset(data / name)[0].read()

        for logarithm in (False, True):
            start = time.process_time()
            found = linked([segments(frame, logarithm) for frame in frames])
            what = "log intensity" if logarithm else "intensity"
            row(name, f"watershed ({what}), linked by overlap", truth, found, start)
        for every in steps:
            start = time.process_time()
            tracker = TrackEverything(model, TrackEverythingPolicy(every=every))
            found = np.stack([one.labels for one in tracker.follow(frames)])
            row(name, f"all tracked, looked for every {every}", truth, found, start)
            tell(f"  {name}, every {every}: {len(tracker.lives.parents)} daughters")


def main(
    data: Annotated[Path, typer.Argument(help="Folder with the annotated images.")],
    model: Annotated[str, typer.Option(help="Name or file of the model.")] = "nano",
    only: Annotated[str, typer.Option(help="stills, movies or both.")] = "both",
    grid: Annotated[bool, typer.Option(help="Measure the grids, too; they take minutes.")] = True,
    every: Annotated[list[int] | None, typer.Option(help="Look every so many frames; repeatable.")] = None,
    threads: int = 1,
) -> None:
    """Print the tables."""
    torch.set_num_threads(threads)
    network = load_model(model, "cpu")
    if only != "movies":
        stills(data, network, grid)
    if only != "stills":
        movies(data, network, every or [1, 3])


if __name__ == "__main__":
    typer.run(main)
