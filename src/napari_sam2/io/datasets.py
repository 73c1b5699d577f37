"""Folders of annotated images, movies, stacks and videos, as the field lays them out."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.cell_tracking import open_cell_tracking
from napari_sam2.io.label_pairs import Pair, gather, open_pairs, stack_pair
from napari_sam2.io.label_videos import folder_pair, open_davis, open_sav
from napari_sam2.io.labelled import LabelledSequence, SequenceKind

__all__ = ["Annotated", "LabelledSequence", "SequenceKind", "open_dataset", "read_dataset"]

INDEX_KINDS: dict[str, SequenceKind] = {"2d": "image", "2d+t": "movie", "3d": "volume", "video": "video"}


class Annotated(NamedTuple):
    """A sequence with its pixels: images (T, H, W[, 3]) and labels (T, H, W)."""

    sequence: LabelledSequence
    images: npt.NDArray[Any]
    labels: npt.NDArray[np.integer[Any]]


def open_dataset(path: str | Path) -> list[LabelledSequence]:
    """Find out how a folder of annotated data is laid out, and return its sequences; pixels are not read yet.

    Parameters
    ----------
    path
        A folder, or its index.json, laid out in one of these ways, tried in this order:

        - ``index.json`` with ``items``: ``image``, ``label`` and ``kind`` (2d, 2d+t, 3d, video) each;
        - SA-V: ``X_manual.json`` beside ``X.mp4`` or a folder of frames ``X``; or ``JPEGImages_24fps`` with
          ``Annotations_6fps``;
        - DAVIS: ``JPEGImages`` with ``Annotations``; or ``frames`` with ``masks``;
        - Cell Tracking Challenge: ``01`` with ``01_GT/TRA`` and, or, ``SEG``;
        - ``images`` with ``labels`` or ``masks``, of equal names;
        - pairs of files: ``X_image`` with ``X_labels``, ``X`` with ``X_mask``, ``image`` with ``labels``.

    Raises
    ------
    StorageError
        Nothing was recognised, or everything there is damaged; a damaged part is left out with a warning.
    ImageError
        Labels do not fit their image.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise StorageError(f"{path} does not exist: check the spelling, and that the disk is mounted.")
    if path.is_file():
        if path.suffix.lower() != ".json":
            raise StorageError(f"{path.name} is a file: give the folder that holds images and labels.")
        return _open_index(path)
    if (path / "index.json").is_file():
        return _open_index(path / "index.json")
    for opener in (open_sav, open_davis, open_cell_tracking, open_pairs):
        found = opener(path)
        if found:
            return found
    raise StorageError(
        f"No annotated images were recognised in {path}. Put X_image.tif beside X_labels.tif, or images and "
        "labels of equal names into the folders images and labels; index.json, DAVIS, SA-V and Cell Tracking "
        "Challenge layouts are understood, too."
    )


def read_dataset(sequences: Iterable[LabelledSequence]) -> Iterator[Annotated]:
    """Read sequences one by one; damaged ones and those without any label are left out with a warning.

    Raises
    ------
    StorageError
        Nothing could be read at all.
    ImageError
        Labels do not fit their image, or none of the sequences has a label.
    """
    reason: Exception | None = None
    some = False
    for sequence in sequences:
        try:
            images, labels = sequence.read()
        except (StorageError, ImageError) as error:
            # Empty labels of one image among many are no mistake; labels of another size are.
            if isinstance(error, ImageError) and "no labels" not in str(error):
                raise
            reason = error
            warnings.warn(f"{sequence.name} is left out: {error}", UserWarning, stacklevel=2)
            continue
        some = True
        yield Annotated(sequence, images, labels)
    if reason is not None and not some:
        raise reason


def _open_index(path: Path) -> list[LabelledSequence]:
    try:
        items = json.loads(path.read_text(encoding="utf-8"))["items"]
        named = [(str(item["image"]), item) for item in items]
        unknown = {str(item["kind"]) for item in items} - INDEX_KINDS.keys()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{path} is no readable list of items with image, label and kind: {error!r}."
        ) from error
    if unknown:
        raise StorageError(
            f"{path} has items of kind {', '.join(sorted(unknown))}: only {', '.join(INDEX_KINDS)} are known."
        )
    if not named:
        raise StorageError(f"{path} lists no items: add image, label and kind of each.")
    return gather((name, partial(_open_item, path.parent, item)) for name, item in named)


def _open_item(folder: Path, item: Mapping[str, Any]) -> list[LabelledSequence]:
    name = Path(item["image"]).with_suffix("").as_posix()
    image, labels = folder / item["image"], folder / item["label"]
    kind = INDEX_KINDS[item["kind"]]
    if kind == "video" and image.is_dir():
        return folder_pair(name, image, labels, binary=True)
    complete = kind != "video" and "partial" not in str(item.get("label_quality", ""))
    return stack_pair(name, Pair(image, labels), kind, complete, linked=True)
