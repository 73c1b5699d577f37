"""A sheet of made microscopy to look at, and what it costs: ``python tests/bench/contact_sheet.py OUT.png``.

One row a family: the first, the middle and the last frame of two random scenes, each beside its truth.
Prints the seconds of processor time that a clip takes, mean and largest of some. With DATA, a folder of real
images (TIFF, PNG; the middle plane of each), a second sheet of those is written beside it for comparison.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tifffile
import typer
from PIL import Image

from napari_sam2.imaging.overlay import contact_sheet, overlay
from napari_sam2.imaging.phantoms import Phantom, nuclei_volume_movie
from napari_sam2.imaging.scenes import Family, scene

Array = np.ndarray[Any, Any]


def gray(frames: Array) -> Array:
    """Frames in [0, 1] by one range for all of them, as RGB."""
    low, high = np.percentile(frames, (0.3, 99.7))
    scaled = np.clip((frames.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1)
    return np.repeat(scaled[..., None], 3, -1)


def strip(phantom: Phantom) -> list[Array]:
    """Three frames of a phantom, each beside its truth."""
    images, labels = phantom.images, phantom.labels
    if images.ndim == 4:
        images, labels = images[:, images.shape[1] // 2], labels[:, labels.shape[1] // 2]
    pictures, frames = gray(images), len(images)
    return [
        overlay(pictures[t], labels[t] * shown, fill=0.0)
        for t in (0, frames // 2, frames - 1)
        for shown in (0, 1)
    ]


def real(folder: Path, size: int) -> list[Array]:
    """The middle of some images below a folder: at most four of each folder in it."""
    tiles, taken = [], Counter[Path]()
    for path in sorted(folder.rglob("*")):
        annotation = "label" in path.name or path.parent.name in ("masks", "annotations")
        if path.suffix not in (".tif", ".png") or annotation or taken[path.parent] == 4:
            continue
        taken[path.parent] += 1
        image = np.asarray(tifffile.imread(path) if path.suffix == ".tif" else Image.open(path)).squeeze()
        while image.ndim > 2 and image.shape[-1] > 4:
            image = image[len(image) // 2]
        image = image[..., :3].mean(-1) if image.ndim == 3 else image
        side = min(*image.shape, size)
        top, left = ((n - side) // 2 for n in image.shape)
        crop = Image.fromarray(np.uint8(255 * gray(image[top : top + side, left : left + side])))
        tiles.append(np.asarray(crop.resize((size, size), Image.Resampling.BICUBIC)))
    return tiles


def main(
    out: Annotated[Path, typer.Argument(metavar="OUT.png")],
    data: Annotated[Path | None, typer.Option(help="A folder of real images to compare with.")] = None,
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 192,
    frames: Annotated[int, typer.Option(help="Frames or planes of a clip.")] = 8,
    clips: Annotated[int, typer.Option(help="Clips timed a family.")] = 4,
    seed: Annotated[int, typer.Option(help="Where chance begins.")] = 0,
) -> None:
    """Write the sheet, print the costs."""
    tiles = []
    for family in Family:
        rng = np.random.default_rng(seed)
        costs, made = [], []
        for _ in range(max(clips, 2)):
            start = time.process_time()
            made.append(scene(rng, family, frames, size, size))
            costs.append(time.process_time() - start)
        print(f"{family.value:20s} {np.mean(costs):6.3f} s a clip, at most {max(costs):.3f} s")
        tiles += strip(made[0]) + strip(made[1])
    for number in range(2):
        start = time.process_time()
        movie = nuclei_volume_movie(frames, 8, size, size, objects=40, seed=seed + number)
        cost = time.process_time() - start
        tiles += strip(movie)
    print(f"{'nuclei in 3D + time':20s} {cost:6.3f} s for {frames} x 8 planes")
    Image.fromarray(contact_sheet(tiles, columns=12)).save(out)
    if data is not None:
        Image.fromarray(contact_sheet(real(data, size), 12)).save(out.with_stem(f"{out.stem}-real"))


if __name__ == "__main__":
    typer.run(main)
