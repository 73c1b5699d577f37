"""Annotated data in any known layout, as recordings to draw clips from; some frames can be held back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import StorageError
from napari_sam2.io.datasets import Annotated, LabelledSequence, SequenceKind, open_dataset, read_dataset
from napari_sam2.training.recordings import Kind, Recording

KINDS: dict[SequenceKind, Kind] = {
    "image": Kind.STILL,
    "movie": Kind.TRACKED,
    "volume": Kind.STACK,
    "video": Kind.VIDEO,
}


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFrame:
    """One frame with labels: image (H, W) or (H, W, 3), labels (H, W)."""

    name: str
    image: npt.NDArray[Any]
    labels: npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class SplitData:
    """Recordings to learn from, and frames that are held back.

    `stills` are the chosen frames one by one; `clips` the same frames in order where labels are tracked.
    """

    stills: tuple[Recording, ...]
    clips: tuple[Recording, ...]
    held: tuple[LabelledFrame, ...]
    chosen: int


def load_data(folder: Path) -> list[Recording]:
    """Read a whole dataset in any layout that `open_dataset` knows.

    Raises
    ------
    StorageError
        Nothing is recognised or readable.
    ImageError
        Labels do not fit their image.
    """
    return [_recording(item, _labelled(item)) for item in read_dataset(open_dataset(folder))]


def split_data(
    folder: Path, frames: Collection[int] | None = None, share: float = 0.5, most_held: int = 20
) -> SplitData:
    """Read a dataset and choose labelled frames to learn from; the others are held back.

    Frames without any label count as not labelled. Labelled frames are counted from 0 through the whole
    dataset; in one movie that is labelled on all frames they are its frames.

    Parameters
    ----------
    folder
        In any layout that `open_dataset` knows.
    frames
        Numbers of labelled frames to learn from.
    share
        Without `frames`: this share of them, evenly spread.
    most_held
        Keep at most so many of the others, evenly spread.

    Raises
    ------
    StorageError
        Nothing is recognised or readable, or there is no such frame, or none is left to hold back.
    ImageError
        Labels do not fit their image.
    """
    items = list(read_dataset(open_dataset(folder)))
    places = [(i, t) for i, item in enumerate(items) for t in _labelled(item)]
    chosen = _choose(len(places), frames, share, folder)
    stills, clips = [], []
    for i, item in enumerate(items):
        mine = [places[number][1] for number in chosen if places[number][0] == i]
        stills += [_recording(item, [t], still=True) for t in mine]
        if len(mine) > 1:
            clips.append(_recording(item, mine))
    rest = [place for number, place in enumerate(places) if number not in set(chosen)]
    shown = np.unique(np.linspace(0, len(rest) - 1, min(most_held, len(rest))).astype(int))
    held = [
        LabelledFrame(f"{items[i].sequence.name} {t}", items[i].images[t], items[i].labels[t])
        for i, t in (rest[k] for k in shown)
    ]
    return SplitData(tuple(stills), tuple(clips), tuple(held), len(chosen))


def _choose(count: int, frames: Collection[int] | None, share: float, folder: Path) -> list[int]:
    if count < 2:
        raise StorageError(
            f"{folder} holds {count} labelled frame(s), but at least 2 are needed: one to learn from and one "
            "to hold back."
        )
    if frames is None:
        number = min(max(round(share * count), 1), count - 1)
        return [int(k) for k in np.unique(np.linspace(0, count - 1, number).round())]
    wrong = sorted(frame for frame in frames if not 0 <= frame < count)
    if wrong or not frames:
        raise StorageError(
            f"{folder} holds {count} labelled frames, 0 to {count - 1}, so there is no frame "
            f"{wrong[0] if wrong else '(none was given)'}."
        )
    if len(set(frames)) == count:
        raise StorageError(
            f"All {count} labelled frames are to be learned from: leave one out, to see whether it helped."
        )
    return sorted(set(frames))


def _labelled(item: Annotated) -> list[int]:
    frames = item.sequence.annotated if item.sequence.annotated is not None else range(len(item.labels))
    return [int(t) for t in frames if item.labels[t].any()]


def _recording(item: Annotated, frames: Sequence[int], still: bool = False) -> Recording:
    kind = Kind.STILL if still else _kind(item.sequence)
    return Recording.build(kind, item.images[list(frames)], _compact(item.labels[list(frames)]))


def _kind(sequence: LabelledSequence) -> Kind:
    kind = KINDS[sequence.kind]
    # What is not known to be ground must not be learned as ground; tracked recordings say so.
    return Kind.TRACKED if kind in (Kind.STILL, Kind.STACK) and not sequence.complete else kind


def _compact(labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
    """Number objects from 1 up where their numbers would not fit into 16 bits."""
    if labels.max() < 2**16:
        return labels
    found, numbers = np.unique(labels, return_inverse=True)
    return (numbers + (found[0] != 0)).reshape(labels.shape)
