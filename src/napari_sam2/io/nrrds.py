"""NRRD volumes."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.damage import unreadable
from napari_sam2.io.lazy_array import Array, LazyArray, by_planes
from napari_sam2.io.opened_image import OpenedImage, Spacing
from napari_sam2.io.raw_planes import raw_planes

# All that the format calls its numbers.
TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
# Kinds of an axis that hold the parts of one pixel.
PARTS = ("RGB-color", "RGBA-color", "list", "vector", "point")


def open_nrrd(path: Path, axes: str | None = None) -> OpenedImage:
    """Open an NRRD file, raw or gzip, its data inside or in one file beside it; the slowest axis comes first.

    Slices of raw data are read by themselves. Compressed data are decompressed up to the slice: going through
    them in order costs one pass, going back begins anew.

    Parameters
    ----------
    path
        .nrrd or .nhdr.
    axes
        As for `open_image`; slowest first, so that X comes last.

    Raises
    ------
    StorageError
        pynrrd is missing, or the file is damaged.
    ImageError
        Its encoding or its axes are not known.
    """
    try:
        import nrrd
    except ModuleNotFoundError as error:
        raise StorageError(
            f"{path.name} is a volume that pynrrd reads: pip install napari-sam2[volumes]."
        ) from error
    try:
        with path.open("rb") as file:
            header: Mapping[str, Any] = nrrd.read_header(file)
            offset = file.tell()
        shape = tuple(int(n) for n in header["sizes"][::-1])
        code = next(code for code, words in TYPES.items() if header["type"] in words)
        dtype = np.dtype(code).newbyteorder(">" if header.get("endian") == "big" else "<")
        encoding = header["encoding"]
    except (nrrd.NRRDError, KeyError, ValueError, StopIteration, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    if encoding not in ("raw", "gzip", "gz") or any(header.get(k) for k in ("line skip", "lineskip")):
        raise ImageError(
            f"{path.name} is encoded as {encoding!r}: save it as raw or gzip, without line skip."
        )
    data = path
    if (beside := header.get("data file", header.get("datafile"))) is not None:
        data, offset = path.parent / beside, 0
        if not data.is_file():
            raise StorageError(
                f"{data} holds the pixels of {path.name} and does not exist: keep both together."
            )
    skip = int(header.get("byte skip", header.get("byteskip", 0)))
    if skip < 0:
        offset, skip = data.stat().st_size - int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, 0
    stored = _letters(header, len(shape))
    plane_axes = 3 if stored.endswith("C") else 2
    if encoding == "raw":
        array = raw_planes(data, shape, dtype, offset + skip, plane_axes)
    else:
        array = _gzip_planes(data, shape, dtype, offset, skip, plane_axes)
    array.name = path.name
    return OpenedImage(array, stored, axes=axes, spacing=_spacing(header, stored))


def _letters(header: Mapping[str, Any], count: int) -> str:
    kinds = list(header.get("kinds", ["domain"] * count))
    parts = kinds[0] in PARTS
    middle = {2: "YX", 3: "ZYX", 4: "TZYX"}.get(count - parts, "Q" * (count - parts))
    last = kinds[-1]
    if count - parts == 3 and last in ("time", "list"):
        middle = "TYX"
    return middle + "C" * parts


def _spacing(header: Mapping[str, Any], stored: str) -> dict[str, Spacing]:
    directions = header.get("space directions")
    if directions is not None:
        # An axis that is not in space has no direction: None, or a row of NaN.
        steps = [np.nan if row is None else float(np.linalg.norm(row)) for row in directions]
        unit = next(iter(header.get("space units", ())), None)
    else:
        steps = [float(step) for step in header.get("spacings", ())]
        unit = next(iter(header.get("units", ())), None)
    pairs = zip(stored[::-1], steps, strict=False)
    return {letter: Spacing(step, unit) for letter, step in pairs if letter in "ZYX" and np.isfinite(step)}


def _gzip_planes(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int, skip: int, plane_axes: int
) -> LazyArray:
    outer, plane = shape[: len(shape) - plane_axes], shape[len(shape) - plane_axes :]
    size = int(np.prod(plane, dtype=np.int64)) * dtype.itemsize
    file = path.open("rb")
    file.seek(offset)
    stream = gzip.GzipFile(fileobj=_From(file, offset))

    def read(i: int) -> Array:
        try:
            stream.seek(skip + i * size)
            data = stream.read(size)
            if len(data) < size:
                raise EOFError(f"{len(data)} of {size} bytes are there")
        except Exception as error:  # zlib.error, BadGzipFile, EOFError
            raise unreadable(path, error, f" at plane {i}") from error
        return np.frombuffer(data, dtype).reshape(plane).copy()

    def close() -> None:
        stream.close()
        file.close()

    return LazyArray(path.name, shape, dtype, by_planes(outer, read), close)


class _From:
    """A file that begins at a place in another one, as gzip needs it for going back."""

    def __init__(self, file: Any, start: int) -> None:
        self._file = file
        self._start = start

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset + (self._start if whence == 0 else 0), whence)) - self._start

    def tell(self) -> int:
        return int(self._file.tell()) - self._start

    def seekable(self) -> bool:
        return True
