"""An image or stack and its labels beside it, and folders full of such pairs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import KNOWN, TIFF, open_frames
from napari_sam2.io.label_pictures import label_plane, label_size
from napari_sam2.io.labelled import LabelledSequence, SequenceKind
from napari_sam2.io.labels import read_labels
from napari_sam2.io.pictures import PICTURE

Array = npt.NDArray[Any]

# Standing alone between signs and digits: "cell_image", "img2d", "labels".
IMAGE_WORD = re.compile(r"(?<![a-z])(images?|img|imgs|raw)(?![a-z])", re.IGNORECASE)
LABEL_WORD = re.compile(r"(?<![a-z])(labels?|masks?|seg|gt)(?![a-z])", re.IGNORECASE)
IMAGE_FOLDERS = ("images", "image", "imgs", "img", "raw")
LABEL_FOLDERS = ("labels", "label", "masks", "mask", "gt")


class Pair(NamedTuple):
    """Two files that belong together."""

    image: Path
    labels: Path


def open_pairs(folder: Path) -> list[LabelledSequence] | None:
    """Return what pairs of files in a folder hold, or in its folders of images and of labels.

    ``X_image`` + ``X_labels``, ``X`` + ``X_mask``, ``image`` + ``labels_anything``; ``images/X`` +
    ``labels/X``. A label stack whose numbers are not linked between the frames gives one image a frame.

    Returns
    -------
    list of LabelledSequence or None
        None if there is no pair.

    Raises
    ------
    ImageError
        Labels do not fit their image.
    StorageError
        Every pair is damaged.
    """
    pairs = _pairs_in_folders(folder) or _pairs_beside(folder)
    if not pairs:
        return None
    return gather((pair.image.name, partial(_open, folder, pair)) for pair in pairs)


def gather(items: Iterable[tuple[str, Callable[[], list[LabelledSequence]]]]) -> list[LabelledSequence]:
    """Open items one by one; what is damaged is left out with a warning, unless nothing else remains.

    Parameters
    ----------
    items
        Names, and functions that return a list of `LabelledSequence`.
    """
    found: list[LabelledSequence] = []
    damaged: dict[str, StorageError] = {}
    for name, opener in items:
        try:
            found += opener()
        except StorageError as error:
            damaged[name] = error
    if damaged and not found:
        raise next(iter(damaged.values()))
    for name, reason in damaged.items():
        warnings.warn(f"{name} is left out: {reason}", UserWarning, stacklevel=2)
    return found


def stack_pair(
    name: str, pair: Pair, kind: SequenceKind | None = None, complete: bool = True, linked: bool | None = None
) -> list[LabelledSequence]:
    """Return an image or stack with its labels, or its frames one by one where labels are not linked.

    Parameters
    ----------
    name
        Of the sequence.
    pair
        Two files of the same number of planes and pixels.
    kind
        What a stack is; from its axes (Z or another) if left out.
    complete
        Whether all objects are labelled.
    linked
        Whether a number means the same object on all frames; looked up in the labels if left out.

    Raises
    ------
    ImageError
        Labels have another shape than the image, or are no labels.
    StorageError
        A file is missing or damaged.
    """
    with open_frames(pair.image) as frames:
        count, size = len(frames), tuple(int(side) for side in frames.shape[1:3])
    label_shape = _label_shape(pair.labels)
    if label_shape != (count, *size):
        raise ImageError(
            f"{pair.labels.name} holds labels of shape {label_shape}, but {pair.image.name} has "
            f"{(count, *size)} (frames, rows, columns): labels need one number for every pixel of the image."
        )
    if count == 1:
        return [LabelledSequence(name, "image", partial(_read, pair), None, complete)]
    if linked is None:
        linked = "per_frame" not in pair.labels.stem.lower() and _is_linked(pair.labels)
    if linked:
        return [LabelledSequence(name, kind or _kind(pair.image), partial(_read, pair), None, complete)]
    return [
        LabelledSequence(f"{name}#{t}", "image", partial(_read, pair, t), None, complete)
        for t in range(count)
    ]


def require_labels(labels: Array, name: str) -> None:
    """Raise an `ImageError` where `labels` mark nothing."""
    if not labels.any():
        raise ImageError(
            f"{name} holds no labels, only 0: give every object a number from 1 up, or leave the file out."
        )


def _open(folder: Path, pair: Pair) -> list[LabelledSequence]:
    return stack_pair(pair.image.relative_to(folder).with_suffix("").as_posix(), pair)


def _read(pair: Pair, frame: int | None = None) -> tuple[Array, Array]:
    with open_frames(pair.image) as frames:
        images = np.stack([frames[t] for t in (range(len(frames)) if frame is None else [frame])])
    if pair.labels.suffix.lower() in PICTURE:
        labels = label_plane(pair.labels)[None]
    else:
        labels = read_labels(pair.labels)
    labels = labels if frame is None else labels[frame : frame + 1]
    require_labels(labels, pair.labels.name if frame is None else f"Frame {frame} of {pair.labels.name}")
    return images[..., :3] if images.ndim == 4 else images, labels


def _label_shape(path: Path) -> tuple[int, ...]:
    if path.suffix.lower() in PICTURE:
        return 1, *label_size(path)
    with open_frames(path) as frames:
        return tuple(int(side) for side in frames.shape)


def _kind(path: Path) -> SequenceKind:
    if path.suffix.lower() in TIFF:
        with tifffile.TiffFile(path) as tiff:
            if tiff.series[0].axes.startswith("Z"):
                return "volume"
    return "movie"


def _is_linked(path: Path, pairs: int = 4) -> bool:
    """Whether objects keep their number: judged by what lies on what in a few neighbouring frames.

    Where nothing overlaps there is nothing to judge by, and the labels are taken at their word.
    """
    kept = seen = 0
    with open_frames(path) as frames:
        if frames.dtype.kind not in "bui":
            return True  # reading says what is wrong
        for t in np.unique(np.linspace(0, len(frames) - 2, pairs).astype(int)):
            before, after = (np.asarray(frames[int(at)]).ravel() for at in (t, t + 1))
            both = (before > 0) & (after > 0)
            couples, counts = np.unique(np.stack((before[both], after[both])), axis=1, return_counts=True)
            for label in np.unique(couples[0]):
                mine = couples[0] == label
                seen += 1
                kept += int(couples[1][mine][counts[mine].argmax()] == label)
    if seen == 0 or 2 * kept >= seen:
        return True
    warnings.warn(
        f"In {path.name} objects do not keep their number from frame to frame ({kept} of {seen} do): every "
        "frame is taken as an image of its own. Link the labels to use the frames as a sequence.",
        UserWarning,
        stacklevel=2,
    )
    return False


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() in KNOWN and not path.name.startswith("."):
            yield path


def _key(path: Path) -> str:
    """Return a name without the words that say what it is: equal for two that belong together."""
    return re.sub(r"[\W_]+", "_", LABEL_WORD.sub("", IMAGE_WORD.sub("", path.stem))).strip("_").lower()


def _pairs_beside(folder: Path) -> list[Pair]:
    files = list(_files(folder))
    labels = {_key(path): path for path in files if LABEL_WORD.search(path.stem)}
    images = {_key(path): path for path in files if not LABEL_WORD.search(path.stem)}
    if len(labels) == 1 and "" in images and not labels.keys() & images.keys():
        return [Pair(images[""], *labels.values())]
    return _matched(images, labels)


def _pairs_in_folders(folder: Path) -> list[Pair]:
    def inside(names: tuple[str, ...]) -> dict[str, Path]:
        folders = (path for path in sorted(folder.iterdir()) if path.is_dir() and path.name.lower() in names)
        return {_key(path): path for inner in folders for path in _files(inner)}

    return _matched(inside(IMAGE_FOLDERS), inside(LABEL_FOLDERS))


def _matched(images: Mapping[str, Path], labels: Mapping[str, Path]) -> list[Pair]:
    pairs = [Pair(image, labels[key]) for key, image in images.items() if key in labels]
    lonely = [path.name for key, path in labels.items() if key not in images]
    if pairs and lonely:
        warnings.warn(
            f"{len(lonely)} label file(s) have no image of the same name and are left out: "
            f"{', '.join(lonely[:5])}.",
            UserWarning,
            stacklevel=2,
        )
    return pairs
