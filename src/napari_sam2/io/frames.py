"""Images as frames that are read one at a time."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frame_choice import choose_frames
from napari_sam2.io.images import PLAIN as KNOWN
from napari_sam2.io.images import open_image
from napari_sam2.io.opened_image import OpenedImage
from napari_sam2.io.tiffs import TIFF

__all__ = ["KNOWN", "TIFF", "Frames", "as_frames", "frames_of", "open_frames"]

Array = npt.NDArray[Any]


class Frames:
    """Frames of one size and dtype, fetched by number; closing gives the file back.

    Parameters
    ----------
    name
        What to call the stack.
    shape
        (T, H, W) or, in colour or with channels, (T, H, W, C).
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
        if len(shape) not in (3, 4):
            raise _no_frames(name, shape)
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


def _no_frames(name: str, shape: tuple[int, ...]) -> ImageError:
    return ImageError(
        f"{name} has shape {shape}, but frames are gray (T, H, W) or colour (T, H, W, 3 or 4): "
        "pick one channel, one plane or one time before."
    )


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
    if len(shape) == 4 and shape[3] not in (3, 4):
        raise _no_frames(name, shape)
    return Frames(name, shape, array.dtype, lambda i: array[i])


def open_frames(
    path: str | Path | Any,
    *,
    axes: str | None = None,
    level: int = 0,
    along: str | None = None,
    at: Mapping[str, int] | None = None,
    channel: int | str | None = None,
) -> Frames:
    """Open an image as frames, reading only what describes it.

    Parameters
    ----------
    path
        TIFF, OME-TIFF, zarr, OME-Zarr, a video, NIfTI, NRRD, .npy, a picture, a folder of pictures, or an
        array, as `open_image` says.
    axes
        A letter for each stored axis, of T, Z, C, Y, X, where the file says nothing or something wrong.
    level
        Of a pyramid: 0 is the finest.
    along
        T or Z: what frames follow; by default the one that is longer than 1 and not held.
    at
        Where to stay along the other axes: ``at={"Z": 3}`` follows slice 3 through time.
    channel
        One channel by number or name, or "all" of them as (H, W, C). Colour is kept by default.

    Raises
    ------
    StorageError
        The file is missing, empty, corrupt or of an unknown kind.
    ImageError
        The file is sound, but its layout is not frames of pixels before something is chosen.
    """
    image = open_image(path, axes, level)
    try:
        return _frames(image, image.close, along=along, at=at, channel=channel)
    except BaseException:
        image.close()
        raise


def frames_of(
    image: OpenedImage,
    *,
    along: str | None = None,
    at: Mapping[str, int] | None = None,
    channel: int | str | None = None,
) -> Frames:
    """Return frames of an open image; closing them leaves the image open.

    Parameters
    ----------
    along, at, channel
        As for `open_frames`.

    Raises
    ------
    ImageError
        There is something left to choose, or the choice does not fit the image.
    """
    return _frames(image, lambda: None, along=along, at=at, channel=channel)


def _frames(
    image: OpenedImage,
    close: Callable[[], None],
    *,
    along: str | None,
    at: Mapping[str, int] | None,
    channel: int | str | None,
) -> Frames:
    choice = choose_frames(
        image.layout, image.axes, image.shape, image.channels, along=along, at=at, channel=channel
    )
    held = dict(choice.held)
    keep = "YXC" if choice.channels else "YX"
    left = [letter for letter in image.axes if letter in keep]
    order = [left.index(letter) for letter in keep]

    def read(i: int) -> Array:
        places = (
            slice(None) if letter in keep else i if letter == choice.along else held[letter]
            for letter in image.axes
        )
        return image.array[tuple(places)].transpose(order)

    count = image.size(choice.along) if choice.along else 1
    shape = (count, *(image.size(letter) for letter in keep))
    return Frames(image.name, shape, image.dtype, read, close)
