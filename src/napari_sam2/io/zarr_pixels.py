"""The pixels of a zarr array, and chunks that are not there."""

from __future__ import annotations

import itertools
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_sam2.io.damage import unreadable
from napari_sam2.io.lazy_array import LazyArray, Place


def zarr_pixels(path: Path, inside: str, array: zarr.Array[Any], close: Callable[[], None]) -> LazyArray:
    """Return the pixels of an array of a store.

    The format takes a chunk that is not stored for empty, full of the fill value. A writer may leave it out,
    and so may a copy that was cut short; which of the two it was cannot be told. So the first time that
    pixels of such a chunk are read there is a warning, once for each array, and where no fill value is
    declared (version 2 of the format allows that), an error. Inside a shard, nothing is looked for.

    Parameters
    ----------
    path
        The store: a folder or a zip.
    inside
        Where the array is in the store, "" for its root.
    close
        Called once when the array is closed.
    """
    exists = _chunk_finder(path, inside)
    told = False

    def fetch(place: Place) -> npt.NDArray[Any]:
        nonlocal told
        try:
            pixels = np.asarray(array[place])
        except Exception as error:  # codecs raise what they like
            raise unreadable(path, error, f" at {_words(place)}") from error
        fill = array.metadata.fill_value
        # Looking for chunks takes time; a part that nowhere is empty needs no look.
        if not told and (fill is None or _holds(pixels, fill)):
            missing = [key for key in _keys(array, place) if not exists(key)]
            if missing and fill is None:
                raise unreadable(
                    path, ValueError(f"the chunk {missing[0]} is missing"), f" at {_words(place)}"
                )
            if missing:
                told = True
                warnings.warn(
                    f"{path.name}: {len(missing)} chunk(s) of what is read at {_words(place)} are not "
                    f"stored, {missing[0]} among them, and count as {fill!s}. "
                    "That is right where the image is empty; if it should not be, copy or export it again.",
                    stacklevel=4,
                )
        return pixels

    return LazyArray(path.name, array.shape, array.dtype, fetch, close)


def _holds(pixels: npt.NDArray[Any], fill: Any) -> bool:
    return bool(np.isnan(pixels).any() if fill != fill else (pixels == fill).any())


def _words(place: Place) -> str:
    return f"[{', '.join(f'{s.start}:{s.stop}' if isinstance(s, slice) else str(s) for s in place)}]"


def _keys(array: zarr.Array[Any], place: Place) -> Iterator[str]:
    """Name the files that hold a place: chunks, or shards where there are some."""
    stored = array.shards or array.chunks
    numbers = []
    for step, length, chunk in zip(place, array.shape, stored, strict=True):
        taken = range(length)[step] if isinstance(step, slice) else (step,)
        numbers.append(sorted({i // chunk for i in taken}))
    return (array.metadata.encode_chunk_key(where) for where in itertools.product(*numbers))


def _chunk_finder(path: Path, inside: str) -> Callable[[str], bool]:
    if path.is_dir():
        return lambda key: (path / inside / key).is_file()
    with zipfile.ZipFile(path) as file:
        names = set(file.namelist())
    return lambda key: f"{inside}/{key}".lstrip("/") in names
