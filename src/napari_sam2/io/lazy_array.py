"""An array whose pixels stay in their file until they are asked for."""

from __future__ import annotations

import itertools
import operator
import threading
from collections.abc import Callable
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import StorageError

Array = npt.NDArray[Any]
Step = int | slice
Place = tuple[Step, ...]  # a place in an array: for each axis a number from 0, or a slice that goes up


class LazyArray:
    """Whole numbers and slices read what they name, and nothing else; closing gives the file back.

    It can be indexed from several threads, one of which reads at a time, and numpy, dask and napari take it
    for an array. Lists, masks and new axes are not understood: they belong on what was read.

    Parameters
    ----------
    name
        What to call it in errors.
    shape
        The length of each axis.
    dtype
        Of every pixel; in native byte order once read.
    fetch
        Reads a place: for each axis a number from 0 or a slice with a step from 1, both inside the shape.
    close
        Called once when the array is closed.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        fetch: Callable[[Place], Any],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self._fetch: Callable[[Place], Any] | None = fetch
        self._close = close
        self._lock = threading.RLock()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Step | EllipsisType | tuple[Step | EllipsisType, ...]) -> Array:
        """Read a part.

        Raises
        ------
        IndexError
            There is no such place, or the index is neither a number nor a slice.
        StorageError
            The array is closed, or this part of the file cannot be read.
        """
        place, flipped = _place(key, self.shape, self.name)
        with self._lock:
            if self._fetch is None:
                raise StorageError(f"{self.name} is closed: open it again to read it.")
            pixels = np.asarray(self._fetch(place)).astype(self.dtype, copy=False)
        return pixels[flipped] if flipped else pixels

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self[...].astype(self.dtype if dtype is None else dtype, copy=False)

    def close(self) -> None:
        """Give the file back; closing twice is fine."""
        with self._lock:
            if self._fetch is not None:
                self._fetch = None
                self._close()

    def without(self, axes: tuple[int, ...]) -> LazyArray:
        """Return this array without the axes of these numbers, held at 0; closing it closes this one."""
        if not axes:
            return self
        kept = [axis for axis in range(self.ndim) if axis not in axes]

        def fetch(place: Place) -> Array:
            whole: list[Step] = [0] * self.ndim
            for axis, step in zip(kept, place, strict=True):
                whole[axis] = step
            return self[tuple(whole)]

        return LazyArray(self.name, tuple(self.shape[i] for i in kept), self.dtype, fetch, self.close)


def _place(key: Any, shape: tuple[int, ...], name: str) -> tuple[Place, tuple[slice, ...]]:
    """Return where to read, and how to turn the axes over that were asked for backwards."""
    steps = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, step in enumerate(steps) if step is Ellipsis]
    if len(dots) > 1 or len(steps) - len(dots) > len(shape):
        raise IndexError(f"{name} has {len(shape)} axes {shape}, so it cannot be indexed with {key!r}.")
    dot = dots[0] if dots else len(steps)
    steps[dot : dot + 1] = [slice(None)] * (len(shape) - len(steps) + len(dots))
    place: list[Step] = []
    flips: list[slice] = []
    for step, length in zip(steps, shape, strict=True):
        if isinstance(step, slice):
            taken = range(*step.indices(length))
            flips.append(slice(None, None, -1) if taken.step < 0 else slice(None))
            taken = taken[::-1] if taken.step < 0 else taken
            place.append(slice(taken.start, max(taken.stop, taken.start), taken.step))
            continue
        try:
            number = operator.index(step)
        except TypeError:
            raise IndexError(
                f"{name} is read with whole numbers and slices, got {step!r}: read first, then choose."
            ) from None
        if not -length <= number < length:
            raise IndexError(f"{name} has the shape {shape}, so there is nothing at {number}.")
        place.append(number % length)
    return tuple(place), tuple(flips) if any(flip.step for flip in flips) else ()


def by_planes(outer: tuple[int, ...], read: Callable[[int], Array]) -> Callable[[Place], Array]:
    """Return the fetch function of an array that is stored plane after plane.

    Parameters
    ----------
    outer
        The leading axes, over which planes are numbered, the last one fastest; () for a single plane.
    read
        Returns plane `i` whole.
    """

    def fetch(place: Place) -> Array:
        asked, inner = place[: len(outer)], place[len(outer) :]
        numbers = [
            range(n)[step] if isinstance(step, slice) else (step,)
            for step, n in zip(asked, outer, strict=True)
        ]
        planes = (
            read(int(np.ravel_multi_index(where, outer)) if outer else 0)[inner]
            for where in itertools.product(*numbers)
        )
        shape = tuple(len(n) for n, step in zip(numbers, asked, strict=True) if isinstance(step, slice))
        if not shape:
            return next(planes)
        if 0 in shape:  # nothing is asked for, so a plane is read only for its size
            plane = read(0)[inner]
            return np.empty((*shape, *plane.shape), plane.dtype)
        # Filled plane by plane, so that no second copy of the part ever exists.
        first = next(planes)
        part = np.empty((int(np.prod(shape)), *first.shape), first.dtype)
        for i, plane in enumerate(itertools.chain([first], planes)):
            part[i] = plane
        return part.reshape(*shape, *first.shape)

    return fetch
