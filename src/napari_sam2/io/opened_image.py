"""An image with all its axes, open and unread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from napari_sam2.errors import ImageError
from napari_sam2.io.axes import settle_axes
from napari_sam2.io.lazy_array import LazyArray

# The words of ImageJ, OME-Zarr and NIfTI for units, in small letters, and their signs.
SIGNS = {
    "\\u00b5m": "µm",
    "\N{GREEK SMALL LETTER MU}m": "µm",
    "um": "µm",
    "micron": "µm",
    "microns": "µm",
    "micrometer": "µm",
    "micrometre": "µm",
    "nanometer": "nm",
    "millimeter": "mm",
    "meter": "m",
    "angstrom": "Å",
    "sec": "s",
    "second": "s",
    "msec": "ms",
    "millisecond": "ms",
    "usec": "µs",
    "minute": "min",
    "hour": "h",
    "pixel": None,
    "unknown": None,
}


@dataclass(frozen=True, slots=True)
class Spacing:
    """How far apart two neighbours along an axis are.

    Attributes
    ----------
    step
        The distance, above 0.
    unit
        Its sign, such as µm, mm, s; as the file writes it where it is not known; None where it writes none.
    """

    step: float
    unit: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", SIGNS.get((self.unit or "").lower(), self.unit))

    def scaled(self, factor: float) -> Spacing:
        """Return the distance on a level that is coarser by a factor."""
        return Spacing(self.step * factor, self.unit)


class OpenedImage:
    """An image with all its axes; it owns the file and gives it back when it is closed.

    Parameters
    ----------
    array
        The pixels; read by indexing.
    stored
        A letter for each axis of the array, as the file names them.
    axes
        What the user says instead.
    spacing
        For the letters of `stored` that have one.
    channels
        Names of the channels, if they have any.
    levels
        Shapes of the array at every resolution, the finest first.
    level
        The resolution that `array` is.

    Attributes
    ----------
    name : str
        What the image is called.
    axes : str
        One of T, Z, C, Y, X for each axis of `array`.
    layout : str
        Name, axes and shape as the file gives them, for errors.

    Raises
    ------
    ImageError
        The axes are not those of an image, or the pixels are none.
    """

    def __init__(
        self,
        array: LazyArray,
        stored: str,
        *,
        axes: str | None = None,
        spacing: Mapping[str, Spacing] | None = None,
        channels: Sequence[str] = (),
        levels: Sequence[tuple[int, ...]] = (),
        level: int = 0,
    ) -> None:
        self.name = array.name
        self.layout = f"{array.name} has axes {axes or stored} {array.shape}"
        try:
            settled = settle_axes(array.name, stored, array.shape, axes)
            if 0 in array.shape:
                raise ImageError(
                    f"{self.name} has shape {array.shape}, that is 0 pixels: check the crop or export."
                )
            if array.dtype.kind not in "buif":
                raise ImageError(
                    f"{self.name} has dtype {array.dtype}, but pixels are bool, integer or float."
                )
        except ImageError:
            array.close()
            raise
        self.array = array.without(settled.dropped)
        self.axes = settled.letters
        self.spacing = MappingProxyType(
            {
                k: v
                for k, v in (spacing or {}).items()
                if k in self.axes and np.isfinite(v.step) and v.step > 0
            }
        )
        self.channels = tuple(channels) if len(channels) == self.size("C") else ()
        self.levels = tuple(levels) or (array.shape,)
        self.level = level

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def size(self, letter: str) -> int:
        """Return the length of an axis, 1 where there is none of that letter."""
        return self.shape[self.axes.index(letter)] if letter in self.axes else 1

    def __repr__(self) -> str:
        return f"OpenedImage({self.name!r}, axes={self.axes!r}, shape={self.shape}, dtype={self.dtype})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; closing twice is fine."""
        self.array.close()


def chosen_level(name: str, count: int, level: int) -> int:
    """Return the number of a level after looking whether there is one."""
    if not 0 <= level < count:
        raise ImageError(
            f"{name} has {count} level(s) of resolution, so there is no level {level}: choose one from 0 "
            f"(the finest) to {count - 1}."
        )
    return level
