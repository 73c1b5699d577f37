"""Pixels that lie uncompressed in one piece of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.io.damage import unreadable
from napari_sam2.io.lazy_array import LazyArray, by_planes


def raw_planes(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int, plane_axes: int
) -> LazyArray:
    """Return an array whose planes are read as they are, in C order.

    A memory map would do the same, but the pages it has touched count as memory of this process.

    Parameters
    ----------
    offset
        Where the first pixel is, in bytes.
    plane_axes
        How many trailing axes are read in one go.

    Raises
    ------
    StorageError
        The file is shorter than its pixels.
    """
    outer, plane = shape[: len(shape) - plane_axes], shape[len(shape) - plane_axes :]
    count = int(np.prod(plane, dtype=np.int64))
    needed = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if path.stat().st_size < needed:
        raise unreadable(path, ValueError(f"{needed} bytes are promised, {path.stat().st_size} are there"))

    def read(i: int) -> npt.NDArray[Any]:
        try:
            pixels = np.fromfile(path, dtype, count, offset=offset + i * count * dtype.itemsize)
        except OSError as error:
            raise unreadable(path, error, f" at plane {i}") from error
        if pixels.size < count:
            raise unreadable(path, EOFError(f"{pixels.size} of {count} pixels are there"), f" at plane {i}")
        return pixels.reshape(plane)

    return LazyArray(path.name, shape, dtype, by_planes(outer, read))
