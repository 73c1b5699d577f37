"""The layout of the Cell Tracking Challenge (Maška et al. 2023): ``01``, ``01_GT/SEG``, ``01_GT/TRA``."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.label_pairs import gather
from napari_sam2.io.label_pictures import label_plane
from napari_sam2.io.label_videos import files_in, frame_sequence, plane_reader
from napari_sam2.io.labelled import LabelledSequence

Array = npt.NDArray[Any]


def open_cell_tracking(folder: Path) -> list[LabelledSequence] | None:
    """Return the movies of a dataset of the challenge, or None.

    Outlines come from ``01_ST/SEG`` (silver truth) or ``01_GT/SEG`` (gold, some frames only), and their
    numbers from the markers in ``TRA`` that they cover; without outlines the markers are taken for the cells,
    as they are in simulated datasets.
    """
    movies = [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and re.fullmatch(r"\d\d", path.name) and _truths(folder, path.name)
    ]
    return gather((path.name, partial(_movie, path)) for path in movies) if movies else None


def _truths(folder: Path, name: str) -> list[Path]:
    places = (f"{name}_ST/SEG", f"{name}_GT/SEG", f"{name}_GT/TRA")
    return [folder / place for place in places if (folder / place).is_dir() and files_in(folder / place)]


def _movie(folder: Path) -> list[LabelledSequence]:
    frames = files_in(folder)
    if not frames:
        raise StorageError(f"{folder} holds no frames: expected t000.tif, t001.tif and so on.")
    numbers = {_number(path): t for t, path in enumerate(frames)}
    truths = _truths(folder.parent, folder.name)
    outlines = next((_by_frame(path, numbers) for path in truths if path.name == "SEG"), {})
    markers = next((_by_frame(path, numbers) for path in truths if path.name == "TRA"), {})
    labels = {t: partial(_linked, path, markers.get(t)) for t, path in outlines.items()}
    if not outlines:
        labels = {t: partial(_linked, path, None) for t, path in markers.items()}
    if not labels:
        raise StorageError(f"No label image beside {folder} belongs to one of its frames: check the numbers.")
    gold = bool(outlines) and truths[0].parent.name.endswith("_GT")
    images = [plane_reader(path) for path in frames]
    return [frame_sequence(folder.name, "movie", images, labels, complete=not gold)]


def _number(path: Path) -> int:
    digits = re.findall(r"\d+", path.stem)
    return int(digits[0]) if digits else -1


def _by_frame(folder: Path, numbers: dict[int, int]) -> dict[int, Path]:
    return {numbers[_number(path)]: path for path in files_in(folder) if _number(path) in numbers}


def _linked(outlines: Path, markers: Path | None) -> Array:
    """Number outlines by the marker that covers most of each; those without one get numbers of their own."""
    labels = label_plane(outlines)
    if markers is None:
        return labels
    tracks = label_plane(markers)
    if tracks.shape != labels.shape:
        raise ImageError(
            f"{markers.name} is {tracks.shape}, but {outlines.name} is {labels.shape}: both need one size."
        )
    renamed = np.zeros(labels.shape, np.uint32)
    # Beyond every track, so that the same cell on another frame is no part of a track by chance.
    spare = 2**15 + 1024 * _number(outlines) % 2**14
    for label in np.unique(labels[labels > 0]):
        inside = labels == label
        under = tracks[inside & (tracks > 0)]
        renamed[inside] = np.bincount(under).argmax() if under.size else spare
        spare += not under.size
    return renamed
