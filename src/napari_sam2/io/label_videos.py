"""Videos as folders of frames, with masks for all or some of them: DAVIS and SA-V."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import TIFF, open_frames
from napari_sam2.io.label_pairs import gather, require_labels
from napari_sam2.io.label_pictures import label_plane
from napari_sam2.io.labelled import LabelledSequence, SequenceKind
from napari_sam2.io.pictures import PICTURE
from napari_sam2.io.run_length import decode_mask

Array = npt.NDArray[Any]
Reader = Callable[[], Array]

FRAMES_PER_SECOND = 24  # of every SA-V video
PER_ANNOTATION = 4


def files_in(folder: Path) -> list[Path]:
    """Return the TIFF and picture files of a folder in order."""
    known = (*TIFF, *PICTURE)
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in known and not p.name.startswith("."))


def frame_sequence(
    name: str,
    kind: SequenceKind,
    images: Sequence[Reader],
    labels: Mapping[int, Reader],
    complete: bool,
) -> LabelledSequence:
    """Return a sequence of which every frame is read by itself.

    Parameters
    ----------
    name, kind, complete
        Of the sequence.
    images
        Read frames (H, W) or (H, W, 3).
    labels
        Read labels (H, W) by frame number. Where every frame has labels, damaged frames are left out with a
        warning; otherwise they are an error, since frames count from the first one.
    """
    every = len(labels) == len(images)

    def read() -> tuple[Array, Array]:
        planes: list[Array] = []
        marks: list[Array] = []
        damaged: list[StorageError] = []
        for t, image in enumerate(images):
            try:
                plane = image()
                mark = labels[t]() if t in labels else np.zeros(plane.shape[:2], np.uint8)
            except StorageError as error:
                if not every:
                    raise
                damaged.append(error)
                continue
            if mark.shape != plane.shape[:2]:
                raise ImageError(
                    f"Frame {t} of {name} is {plane.shape[0]} x {plane.shape[1]} pixels, but its labels are "
                    f"{mark.shape[0]} x {mark.shape[1]}: labels need one number for every pixel."
                )
            if planes and plane.shape != planes[0].shape:
                raise ImageError(
                    f"Frame {t} of {name} has shape {plane.shape}, the frames before {planes[0].shape}: all "
                    "frames of a sequence need the same size."
                )
            planes.append(plane)
            marks.append(mark)
        if damaged and not planes:
            raise damaged[0]
        for reason in damaged:
            warnings.warn(f"A frame of {name} is left out: {reason}", UserWarning, stacklevel=2)
        stacked = np.stack(marks)
        require_labels(stacked, name)
        return np.stack(planes), stacked

    return LabelledSequence(name, kind, read, None if every else tuple(sorted(labels)), complete)


def plane_reader(path: Path) -> Reader:
    """Return a function that reads one frame, without transparency."""

    def read() -> Array:
        with open_frames(path) as frames:
            if len(frames) != 1:
                raise ImageError(
                    f"{path.name} holds {len(frames)} planes, but one frame is expected: sequences of "
                    "volumes cannot be followed; pick one plane of each."
                )
            plane = frames[0]
        return plane[..., :3] if plane.ndim == 3 else plane

    return read


def open_davis(folder: Path) -> list[LabelledSequence] | None:
    """Return the sequences of ``JPEGImages`` + ``Annotations`` (also inside ``480p``), or None.

    ``frames`` + ``masks``, in the folder or in each of its folders, is understood, too.
    """
    images, masks = folder / "JPEGImages", folder / "Annotations"
    if images.is_dir() and masks.is_dir():
        for resolution in ("480p", "Full-Resolution", "1080p"):
            if (images / resolution).is_dir() and (masks / resolution).is_dir():
                images, masks = images / resolution, masks / resolution
                break
        names = [p.name for p in sorted(images.iterdir()) if p.is_dir() and (masks / p.name).is_dir()]
        return gather((name, partial(_davis, name, images / name, masks / name)) for name in names) or None
    inner = [
        p for p in (folder, *sorted(folder.iterdir())) if (p / "frames").is_dir() and (p / "masks").is_dir()
    ]
    return gather((p.name, partial(_davis, p.name, p / "frames", p / "masks")) for p in inner) or None


def folder_pair(name: str, images: Path, masks: Path, binary: bool = False) -> list[LabelledSequence]:
    """Return the video of two folders of equal stems; `binary` joins all labels to one object."""
    for folder in (images, masks):
        if not folder.is_dir():
            raise StorageError(f"There is no folder {folder} with the frames of {name}: check the spelling.")
    frames = files_in(images)
    numbers = {path.stem: t for t, path in enumerate(frames)}
    marks = {numbers[path.stem]: path for path in files_in(masks) if path.stem in numbers}
    if not marks:
        raise StorageError(
            f"No mask in {masks} has the name of a frame in {images}: frame 00007.jpg goes with 00007.png."
        )
    labels = {t: partial(_mask, path, binary) for t, path in marks.items()}
    return [frame_sequence(name, "video", [plane_reader(path) for path in frames], labels, complete=False)]


def open_sav(folder: Path) -> list[LabelledSequence] | None:
    """Return the videos of SA-V, or None.

    Training: ``X_manual.json`` with ``X.mp4`` or a folder ``X`` of frames; only annotated frames are read.
    Validation and test: ``JPEGImages_24fps/X`` with ``Annotations_6fps/X/000/00000.png``; all frames. Where
    objects overlap, the first one keeps the pixel.
    """
    images, masks = folder / "JPEGImages_24fps", folder / "Annotations_6fps"
    if images.is_dir() and masks.is_dir():
        names = [p.name for p in sorted(images.iterdir()) if p.is_dir() and (masks / p.name).is_dir()]
        return gather((name, partial(_sav_folders, name, images / name, masks / name)) for name in names)
    notes = sorted(folder.glob("*_manual.json"))
    return gather((path.name, partial(_sav_video, path)) for path in notes) if notes else None


def _davis(name: str, images: Path, masks: Path) -> list[LabelledSequence]:
    return folder_pair(name, images, masks)


def _mask(path: Path, binary: bool) -> Array:
    plane = label_plane(path)
    return (plane > 0).astype(np.uint8) if binary else plane


def _sav_folders(name: str, images: Path, masks: Path) -> list[LabelledSequence]:
    frames = files_in(images)
    numbers = {path.stem: t for t, path in enumerate(frames)}
    files: dict[int, list[tuple[int, Path]]] = {}
    for inner in sorted(path for path in masks.iterdir() if path.is_dir() and path.name.isdecimal()):
        for path in files_in(inner):
            if path.stem in numbers:
                files.setdefault(numbers[path.stem], []).append((int(inner.name) + 1, path))
    if not files:
        raise StorageError(f"{masks} holds no mask for a frame of {images}: expected 000/00000.png.")

    def merged(parts: list[tuple[int, Path]]) -> Array:
        return _stacked([(number, label_plane(path) > 0) for number, path in parts])

    labels = {t: partial(merged, parts) for t, parts in files.items()}
    return [frame_sequence(name, "video", [plane_reader(path) for path in frames], labels, complete=False)]


def _stacked(parts: Sequence[tuple[int, Array]]) -> Array:
    labels = np.zeros(parts[0][1].shape, np.uint16)
    for number, mask in parts:
        if mask.shape != labels.shape:
            raise ImageError(f"Masks of one frame are {labels.shape} and {mask.shape}: they need one size.")
        labels[mask & (labels == 0)] = number
    return labels


def _sav_video(notes: Path) -> list[LabelledSequence]:
    try:
        text = json.loads(notes.read_text(encoding="utf-8"))
        masklets: list[list[Mapping[str, Any] | None] | None] = text["masklet"]
        step = round(FRAMES_PER_SECOND / float(text["fps"])) if "fps" in text else PER_ANNOTATION
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{notes.name} is not a readable SA-V annotation ({error!r}).") from error
    name = notes.name.removesuffix("_manual.json")
    kept = {i * step: codes for i, codes in enumerate(masklets) if codes and any(codes)}
    if not kept:
        raise StorageError(f"{notes.name} holds no mask on any frame: leave it out.")
    folder, movie = notes.parent / name, notes.parent / f"{name}.mp4"
    if folder.is_dir():
        there = {int(path.stem): path for path in files_in(folder) if path.stem.isdecimal()}
        at = [number for number in kept if number in there]
        images = [plane_reader(there[number]) for number in at]
    elif movie.is_file():
        at = list(kept)
        film = _Film(movie, at)
        images = [partial(film.frame, number) for number in at]
    else:
        raise StorageError(f"Neither {movie.name} nor a folder {name} of frames lies beside {notes.name}.")

    def labels(codes: Sequence[Mapping[str, Any] | None]) -> Array:
        return _stacked([(j + 1, decode_mask(code)) for j, code in enumerate(codes) if code])

    marks = {t: partial(labels, kept[number]) for t, number in enumerate(at)}
    return [frame_sequence(name, "video", images, marks, complete=False)]


class _Film:
    """The wanted frames of one movie file, decoded in one go; each may be fetched once a reading."""

    def __init__(self, path: Path, wanted: Sequence[int]) -> None:
        self._path, self._wanted = path, frozenset(wanted)
        self._there: dict[int, Array] = {}

    def frame(self, number: int) -> Array:
        if number not in self._there:
            self._there = dict(self._decode())
        if number not in self._there:
            raise StorageError(f"{self._path.name} ends before frame {number}: copy it again.")
        return self._there.pop(number)

    def _decode(self) -> Iterator[tuple[int, Array]]:
        try:
            import av
        except ImportError as error:
            raise StorageError(
                f"{self._path.name} needs a video decoder: pip install 'napari-sam2[video]', or extract its "
                f"frames into a folder {self._path.stem}."
            ) from error
        try:
            with av.open(str(self._path)) as container:
                for number, frame in enumerate(container.decode(video=0)):
                    if number in self._wanted:
                        yield number, frame.to_ndarray(format="rgb24")
        except av.error.FFmpegError as error:
            raise StorageError(f"{self._path.name} cannot be decoded ({error}): copy it again.") from error
