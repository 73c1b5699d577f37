"""Label stacks to disk, whole or not at all, and back."""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import TIFF, open_frames
from napari_sam2.io.images import open_image
from napari_sam2.io.output import check_file, failure
from napari_sam2.io.provenance import plain

Array = npt.NDArray[Any]

SUFFIXES = (*TIFF, ".npy")
BIGTIFF_BYTES = 2**32 - 2**25  # what a classic TIFF can address, less room for its tags
LARGEST = 2**32 - 1


class LabelWriter:
    """Collects the label images of one stack in any order, compressed in memory, and writes them on closing.

    The file appears whole under its name or not at all. Frames that were never set are background. When the
    ``with`` block fails, nothing is written; when writing fails, the frames are kept, and `close` may be
    called again.

    Parameters
    ----------
    path
        Where to write: .tif or .tiff (zlib, BigTIFF where needed) or .npy.
    shape
        (T, H, W); a stack of one frame is written as (H, W).
    overwrite
        Whether a file of that name may be replaced.
    dtype
        An unsigned integer dtype; it grows as far as uint32 where a label needs it.
    provenance
        How the labels came about, kept as JSON in the TIFF's metadata; see `read_provenance`.
    depth
        Slices of a volume, where frames are slices: so many make a time, and the stack is written as
        (Z, H, W) or (T, Z, H, W). 0: frames are times.

    Raises
    ------
    StorageError
        The suffix is unknown, the folder is missing or read-only, the file is in the way, or the provenance
        cannot be stored.
    ImageError
        The shape or dtype cannot hold labels.
    """

    def __init__(
        self,
        path: str | Path,
        shape: tuple[int, int, int],
        overwrite: bool = False,
        dtype: npt.DTypeLike = np.uint16,
        provenance: Mapping[str, Any] | None = None,
        depth: int = 0,
    ) -> None:
        self.path = Path(path)
        self.shape = tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.overwrite = overwrite
        self._frames: dict[int, bytes] = {}
        self._open = True
        if self.path.suffix.lower() not in SUFFIXES:
            raise StorageError(
                f"Labels are written as {', '.join(SUFFIXES)}, but {self.path.name} ends in "
                f"{self.path.suffix or 'nothing'!r}: choose one of those."
            )
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ImageError(f"A label stack has shape (T, H, W), each at least 1, got {self.shape}.")
        if depth and (depth < 0 or self.shape[0] % depth):
            raise ImageError(f"{self.shape[0]} slices cannot be cut into volumes of {depth}.")
        self._depth = depth
        if self.dtype.kind != "u" or self.dtype.itemsize > 4:
            raise ImageError(f"Labels are stored as uint8, uint16 or uint32, got {self.dtype}.")
        self._provenance = self._as_json(provenance)
        self._check_place()

    def __setitem__(self, frame: int, labels: Any) -> None:
        """Set one frame's labels, (H, W) of bool or whole numbers from 0; setting again replaces.

        Raises
        ------
        ImageError
            Wrong shape or dtype, or a label that is negative or beyond uint32.
        StorageError
            There is no such frame, or the writer is closed.
        """
        index = self._index(frame)
        labels = np.asarray(labels)
        if labels.shape != self.shape[1:] or labels.dtype.kind not in "bui":
            raise ImageError(
                f"The labels of frame {index} are {labels.shape} {labels.dtype}, but whole numbers of shape "
                f"{self.shape[1:]} are expected: convert or crop them."
            )
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high > LARGEST:
            raise ImageError(
                f"The labels of frame {index} run from {low} to {high}: only 0 to {LARGEST} can be stored."
            )
        self.dtype = np.promote_types(self.dtype, np.min_scalar_type(high))
        self._frames[index] = zlib.compress(labels.astype("<u4").tobytes(), 1)

    def __getitem__(self, frame: int) -> npt.NDArray[np.uint32]:
        """Return one frame as it was set, or background, as uint32 (H, W)."""
        packed = self._frames.get(self._index(frame))
        if packed is None:
            return np.zeros(self.shape[1:], np.uint32)
        return np.frombuffer(zlib.decompress(packed), "<u4").astype(np.uint32).reshape(self.shape[1:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def close(self) -> None:
        """Write the file; closing twice is fine.

        Raises
        ------
        StorageError
            The disk is full, the folder cannot be written to, or a file has come in the way. No temporary
            file is left, what was there is untouched, and `close` may be called again.
        """
        if not self._open:
            return
        self._check_place()
        partial = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        try:
            try:
                self._write(partial)
                self._check_place()
                os.replace(partial, self.path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise failure(self.path, error) from error
        self.discard()

    def discard(self) -> None:
        """Close without writing anything."""
        self._open = False
        self._frames.clear()

    def _write(self, partial: Path) -> None:
        shape, axes = self._layout()
        with partial.open("xb") as file:
            if self.path.suffix.lower() == ".npy":
                head = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, head)
                for frame in self._stack():
                    file.write(frame.tobytes())
            else:
                size = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
                metadata = {"axes": axes} | self._provenance
                with tifffile.TiffWriter(file, bigtiff=size > BIGTIFF_BYTES) as tiff:
                    tiff.write(
                        self._stack(),
                        shape=shape,
                        dtype=self.dtype,
                        photometric="minisblack",
                        compression="zlib",
                        metadata=metadata,
                        software="napari-sam2",
                        maxworkers=1,
                    )
            file.flush()
            os.fsync(file.fileno())

    def _layout(self) -> tuple[tuple[int, ...], str]:
        """Return the shape that is written, and a letter for each of its axes."""
        frames, plane = self.shape[0], self.shape[1:]
        if self._depth:
            volumes = frames // self._depth
            return ((volumes, self._depth, *plane), "TZYX") if volumes > 1 else ((frames, *plane), "ZYX")
        return ((frames, *plane), "TYX") if frames > 1 else (plane, "YX")

    def _stack(self) -> Iterator[Array]:
        return (self[i].astype(self.dtype) for i in range(self.shape[0]))

    def _index(self, frame: int) -> int:
        if not self._open:
            raise StorageError(f"The writer of {self.path.name} is closed: make a new one.")
        if not 0 <= frame < self.shape[0]:
            raise StorageError(
                f"{self.path.name} has {self.shape[0]} frame(s), so there is no frame {frame}."
            )
        return int(frame)

    def _as_json(self, provenance: Mapping[str, Any] | None) -> dict[str, Any]:
        if not provenance:
            return {}
        if self.path.suffix.lower() == ".npy":
            raise StorageError(f"{self.path.name} cannot hold provenance: write .tif, or leave it out.")
        return {"provenance": plain(provenance)}

    def _check_place(self) -> None:
        check_file(self.path, self.overwrite)


def read_labels(path: str | Path) -> Array:
    """Read a label stack.

    Parameters
    ----------
    path
        Anything that `open_frames` opens.

    Returns
    -------
    numpy.ndarray
        (T, H, W), whole numbers from 0 in the file's dtype; a single image has T = 1.

    Raises
    ------
    StorageError
        The file is missing or damaged.
    ImageError
        The file holds colour, fractions or negative numbers.
    """
    with open_frames(path) as frames:
        if len(frames.shape) != 3 or frames.dtype.kind not in "bui":
            raise ImageError(
                f"{frames.name} is {frames.shape} {frames.dtype}, but labels are whole numbers (T, H, W): "
                "is this the image rather than its labels?"
            )
        labels = np.empty(frames.shape, frames.dtype)
        for i, frame in enumerate(frames):
            labels[i] = frame
    if labels.min() < 0:
        raise ImageError(
            f"{frames.name} holds the label {labels.min()}, but labels count from 0: set it to 0."
        )
    return labels


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Return the provenance that `LabelWriter` stored in a TIFF; empty where there is none.

    Raises
    ------
    StorageError
        The file is missing or damaged.
    """
    open_image(path).close()
    if Path(path).suffix.lower() not in TIFF:
        return {}
    with tifffile.TiffFile(path) as tiff:
        stored = (tiff.shaped_metadata or ({},))[0].get("provenance", {})
    return dict(stored)
