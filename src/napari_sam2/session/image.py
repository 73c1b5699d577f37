"""The image of a session: its axes, and how to know it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import ImageError
from napari_sam2.inference.embeddings import FrameSource
from napari_sam2.io.frames import Frames

_LETTERS = "TZCYX"


class ArrangedFrames:
    """An array with named axes as frames (H, W) or (H, W, C), read one at a time.

    Parameters
    ----------
    array
        Anything that is indexed like a numpy array; lazy arrays stay lazy.
    axes
        One letter for each of its axes, of T, Z, C, Y, X. Frames follow each other along T or Z.
    at
        Where to stay along other axes: ``{"Z": 3}`` follows slice 3 through time.

    Raises
    ------
    ImageError
        If the letters do not fit the array, or both T and Z are longer than one and neither is held.
    """

    def __init__(self, array: Any, axes: str, at: Mapping[str, int] | None = None) -> None:
        shape = tuple(int(n) for n in array.shape)
        if len(axes) != len(shape) or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
            raise ImageError(
                f"The image has the shape {shape}, but its axes are given as {axes!r}: name each axis once, "
                f"with one of the letters {', '.join(_LETTERS)}; Y and X have to be among them."
            )
        if unknown := set(axes) - set(_LETTERS):
            raise ImageError(f"The axis {min(unknown)!r} is none of {', '.join(_LETTERS)}.")
        sizes = dict(zip(axes, shape, strict=True))
        self._at = dict(at or {})
        for letter, index in self._at.items():
            if letter not in set(axes) - {"Y", "X"} or not 0 <= index < sizes[letter]:
                raise ImageError(
                    f"The image with the axes {axes!r} and the shape {shape} cannot be held at {letter} = "
                    f"{index}: name one of its axes but Y and X, and a place along it, counted from 0."
                )
        along = [letter for letter in "TZ" if sizes.get(letter, 1) > 1 and letter not in self._at]
        if len(along) > 1:
            raise ImageError(
                f"The image has {sizes['T']} times and {sizes['Z']} slices: choose one time or one slice, as "
                'in at={"Z": 0}, so that frames follow each other along one axis.'
            )
        free = (letter for letter in "TZ" if letter in sizes and letter not in self._at)
        self.axis = along[0] if along else next(free, "T")
        channels = 1 if "C" in self._at else sizes.get("C", 1)
        self._array = array
        self._axes = axes
        self._swapped = axes.index("Y") > axes.index("X")
        along_frames = 1 if self.axis in self._at else sizes.get(self.axis, 1)
        self.shape: tuple[int, ...] = (along_frames, sizes["Y"], sizes["X"])
        if channels > 1:
            self.shape = (*self.shape, channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int, /) -> np.ndarray[Any, Any]:
        keep = "YXC" if len(self.shape) == 4 else "YX"
        place = tuple(
            slice(None) if letter in keep else self._at.get(letter, index if letter == self.axis else 0)
            for letter in self._axes
        )
        frame = np.asarray(self._array[place])
        left = [letter for letter in self._axes if letter in keep]
        return frame.transpose([left.index(letter) for letter in keep])


def arrange(frames: Any, axes: str | None, at: Mapping[str, int] | None = None) -> tuple[FrameSource, str]:
    """Return frames one after another, and the letter of the axis along which they follow.

    Parameters
    ----------
    frames
        An array, or something that gives frames by number, such as `open_frames` returns.
    axes
        A letter for each axis; by default TYX, TYXC for four axes, YX for two, and YXC where the last of
        three axes has 3 or 4 entries and the first has more.
    at
        As for `ArrangedFrames`.
    """
    if isinstance(frames, Frames):
        if axes is not None and (set(axes) - set(_LETTERS) or not {"Y", "X"} <= set(axes)):
            raise ImageError(f"Axes are named with the letters {', '.join(_LETTERS)}, got {axes!r}.")
        return frames, "Z" if axes is not None and "Z" in axes and "T" not in axes else "T"
    array = frames if hasattr(frames, "shape") else np.asarray(frames)
    shape = tuple(array.shape)
    if axes is None:
        colour = len(shape) == 3 and shape[2] in (3, 4) and shape[0] > 4
        axes = "YXC" if colour else {2: "YX", 3: "TYX", 4: "TYXC"}.get(len(shape))
    if axes is None or 0 in shape:
        raise ImageError(
            f"The image has the shape {shape}: give 2 to 4 axes that are not empty, or name them, "
            'as in axes="TCYX".'
        )
    arranged = ArrangedFrames(array, axes.upper(), at)
    return arranged, arranged.axis


@dataclass(frozen=True, slots=True)
class ImageReference:
    """How to find an image again, and how to tell that it is the same.

    Attributes
    ----------
    path
        The file or folder; None for an array in memory.
    shape
        (T, H, W) or (T, H, W, C).
    sha256
        Of the number type and of the first, the middle and the last frame.
    """

    path: Path | None = field(compare=False)
    shape: tuple[int, ...]
    sha256: str

    @classmethod
    def of(cls, frames: FrameSource, path: Path | None) -> ImageReference:
        """Read three frames and remember what they are."""
        digest = hashlib.sha256()
        for index in sorted({0, len(frames) // 2, len(frames) - 1}):
            frame = np.ascontiguousarray(frames[index])
            digest.update(str(frame.dtype).encode())
            digest.update(frame.tobytes())
        return cls(path, tuple(frames.shape), digest.hexdigest())
