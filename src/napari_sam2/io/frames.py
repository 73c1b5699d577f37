"""Stacks, folders and pictures on disk as frames that are read one at a time."""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sam2.errors import ImageError, Sam2Error, StorageError
from napari_sam2.io.damage import complaints, unreadable
from napari_sam2.io.pictures import PICTURE, picture_layout, read_picture

Array = npt.NDArray[Any]

TIFF = (".tif", ".tiff")
KNOWN = (*TIFF, *PICTURE, ".npy")
# What tifffile calls an axis along which frames may follow each other: time, depth, unknown, sequence.
STACKED = "TZQI"


class Frames:
    """Frames of one size and dtype, fetched by number; closing gives the file back.

    Parameters
    ----------
    name
        What to call the stack.
    shape
        (T, H, W) or, in colour, (T, H, W, 3) or (T, H, W, 4).
    dtype
        Of every pixel, in native byte order.
    read
        Returns frame `i`, for i in 0..T-1.
    close
        Called once when the frames are closed.

    Raises
    ------
    ImageError
        The layout is not frames of pixels.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        read: Callable[[int], Any],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self._read: Callable[[int], Any] | None = read
        self._close = close
        self._lock = threading.Lock()
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (3, 4)):
            raise ImageError(
                f"{name} has shape {shape}, but frames are gray (T, H, W) or colour (T, H, W, 3 or 4): "
                "pick one channel, one plane or one time before."
            )
        if 0 in shape:
            raise ImageError(f"{name} has shape {shape}, that is 0 pixels: check the crop or export.")
        if self.dtype.kind not in "buif":
            raise ImageError(f"{name} has dtype {self.dtype}, but pixels are bool, integer or float.")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> Array:
        """Read one frame, (H, W) or (H, W, C); negative numbers count from the end.

        Raises
        ------
        IndexError
            There is no such frame.
        StorageError
            The frames are closed, or this one cannot be read.
        """
        number = operator.index(index)
        number += len(self) if number < 0 else 0
        if not 0 <= number < len(self):
            raise IndexError(f"{self.name} has {len(self)} frame(s), so there is no frame {index}.")
        with self._lock:
            if self._read is None:
                raise StorageError(f"{self.name} is closed: open it again to read frame {index}.")
            return np.asarray(self._read(number)).astype(self.dtype, copy=False)

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; closing twice is fine."""
        with self._lock:
            if self._read is not None:
                self._read = None
                self._close()


def as_frames(array: Any, name: str = "array") -> Frames:
    """Return an array's frames; nothing is copied, and a lazy array (dask, zarr) stays lazy.

    Parameters
    ----------
    array
        (H, W) is one gray frame. (H, W, 3 or 4) is one colour frame where its first axis is longer than 4;
        any other 3-D array is gray (T, H, W). 4-D is colour (T, H, W, 3 or 4).
    name
        What to call it in errors.

    Raises
    ------
    ImageError
        Another number of axes, no pixels, or a complex or object dtype.
    """
    array = array if hasattr(array, "shape") and hasattr(array, "dtype") else np.asarray(array)
    shape = tuple(int(n) for n in array.shape)
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4) and shape[0] > 4):
        return Frames(name, (1, *shape), array.dtype, lambda _: array[:])
    return Frames(name, shape, array.dtype, lambda i: array[i])


def open_frames(path: str | Path) -> Frames:
    """Open a TIFF stack, a folder of images, an .npy array or a picture, reading only what describes it.

    Parameters
    ----------
    path
        TIFF with axes YX, TYX, ZYX or, in colour, YXS, TYXS, ZYXS; a folder of equal TIFF, PNG or JPEG
        images, in the order of the numbers in their names; .npy laid out as `as_frames` says; .png, .jpg.

    Raises
    ------
    StorageError
        The file is missing, empty, corrupt or of an unknown kind.
    ImageError
        The file is sound, but its layout is not frames of pixels.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise StorageError(f"{path} does not exist: check the spelling, and that the disk is mounted.")
    if path.suffix.lower() not in KNOWN:
        raise StorageError(
            f"{path.name} ends in {path.suffix or 'nothing'!r}, which is not known here: convert it to "
            f"one of {', '.join(KNOWN)}, or give a folder of images."
        )
    try:
        if path.stat().st_size == 0:
            raise StorageError(f"{path.name} is empty (0 bytes): copy or export it again.")
        if path.suffix.lower() in TIFF:
            return _open_tiff(path)
        if path.suffix.lower() == ".npy":
            return as_frames(np.load(path, mmap_mode="r", allow_pickle=False), path.name)
        shape, dtype = picture_layout(path)
        return Frames(path.name, (1, *shape), dtype, lambda _: read_picture(path))
    except Sam2Error:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise unreadable(path, error) from error


def _open_tiff(path: Path) -> Frames:
    with complaints() as said:
        tiff = tifffile.TiffFile(path)
        try:
            frames = _tiff_frames(path, tiff)
        except BaseException:
            tiff.close()
            raise
    broken = [line for line in said if "invalid" in line and ("offset" in line or "corrupted" in line)]
    if broken:
        frames.close()
        raise unreadable(path, ValueError(broken[0].split("> ")[-1]))
    return frames


def _tiff_frames(path: Path, tiff: tifffile.TiffFile) -> Frames:
    every = [series for series in tiff.series if not series.keyframe.is_reduced]
    if not every:
        raise StorageError(f"{path.name} holds no image: it is damaged or unfinished. Export it again.")
    if len(every) > 1:
        sizes = ", ".join(str(series.shape) for series in every[:4])
        raise ImageError(
            f"{path.name} holds {len(every)} images of different layout ({sizes}): "
            "save the one you want as its own file."
        )
    series = every[0]
    kept = [(axis, n) for axis, n in zip(series.axes, series.shape, strict=True) if n != 1 or axis in "YX"]
    axes = "".join(axis for axis, _ in kept)
    stacked = bool(axes) and axes[0] in STACKED
    if axes[stacked:] not in ("YX", "YXS"):
        raise ImageError(
            f"{path.name} has axes {series.axes} {series.shape}, but frames are read from YX, TYX or "
            "ZYX, and in colour with S last: pick one channel (C), and either time (T) or depth (Z)."
        )
    shape = tuple(n for _, n in kept) if stacked else (1, *(n for _, n in kept))
    if series.dataoffset is not None:
        dtype = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
        tiff.close()
        return _contiguous(path, shape, dtype, series.dataoffset)
    pages = series.pages
    whole: list[Array] = []  # where pages are not frames (volumetric tiles), all is decoded once

    def read(i: int) -> Array:
        try:
            with complaints():
                if len(pages) != shape[0]:
                    whole[:] = whole or [np.asarray(series.asarray()).reshape(shape)]
                    return np.array(whole[0][i])
                page = pages[i]
                if page is None:
                    raise ValueError("the page is missing")
                return np.asarray(page.asarray()).reshape(shape[1:])
        except Exception as error:  # decoders raise what they like: zlib.error, struct.error, TiffFileError
            raise unreadable(path, error, f" at frame {i}, page {i} of {len(pages)}") from error

    return Frames(path.name, shape, series.dtype, read, tiff.close)


def _contiguous(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> Frames:
    """Map uncompressed pixels that lie in one piece, whatever the pages say."""
    needed = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if path.stat().st_size < needed:
        raise unreadable(path, ValueError(f"{needed} bytes are promised, {path.stat().st_size} are there"))
    mapped = np.memmap(path, dtype, "r", offset, shape)
    # A copy, so that a frame outlives the file that it came from.
    return Frames(path.name, shape, dtype, lambda i: np.array(mapped[i]))


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which frame2 comes before frame10."""
    parts = re.findall(r"\d+|\D+", path.name.lower())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]


def _open_folder(folder: Path) -> Frames:
    known = (*TIFF, *PICTURE)
    visible = (file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())
    files = sorted((file for file in visible if file.suffix.lower() in known), key=_natural)
    if not files:
        raise StorageError(f"The folder {folder.name} holds no image: put {', '.join(known)} files there.")
    layouts = []
    for file in files:
        with open_frames(file) as frames:
            if len(frames) != 1:
                raise ImageError(
                    f"{file.name} in {folder.name} is a stack of {len(frames)} frames: open it by itself."
                )
            layouts.append((frames.shape[1:], frames.dtype))
        if layouts[-1] != layouts[0]:
            raise ImageError(
                f"{file.name} is {layouts[-1][0]} {layouts[-1][1]}, but {files[0].name} is {layouts[0][0]} "
                f"{layouts[0][1]}: all images of the folder {folder.name} need the same size and dtype."
            )

    def read(i: int) -> Array:
        with open_frames(files[i]) as frames:
            return frames[0]

    return Frames(folder.name, (len(files), *layouts[0][0]), layouts[0][1], read)
