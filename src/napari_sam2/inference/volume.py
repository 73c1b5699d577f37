"""A volume seen as frames along any of its axes, with square pixels, and masks brought back exactly."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil, isfinite
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.prompts import Box, Click, FrameIndex, MaskPrompt, ObjectId, PromptSet

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

SLIM = 4 / 3
"""A frame longer than so many times its other side is padded to a square, since the network sees squares."""


class Axis(Enum):
    """Which axis of a volume (Z, Y, X) is followed as if it were time."""

    Z = "z"
    Y = "y"
    X = "x"

    @property
    def number(self) -> int:
        """Its place in (Z, Y, X)."""
        return "zyx".index(self.value)

    @property
    def plane(self) -> tuple[Axis, Axis]:
        """Rows and columns of the frames across it."""
        rows, columns = (other for other in Axis if other is not self)
        return rows, columns


class VolumeSource(Protocol):
    """A volume: an array, or anything that reads parts of it (zarr, dask, a memory map)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(Z, Y, X), or (Z, Y, X, C) in colour."""

    def __getitem__(self, place: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Voxel:
    """A click in space, in voxels of the volume; voxel centres lie on whole numbers."""

    z: float
    y: float
    x: float
    positive: bool = True

    def __post_init__(self) -> None:
        if not all(isfinite(at) for at in (self.z, self.y, self.x)):
            raise PromptError(f"A click needs finite coordinates, got z={self.z}, y={self.y}, x={self.x}.")

    def on(self, axis: Axis) -> FrameIndex:
        """Return the frame along an axis that it lies on."""
        return round(getattr(self, axis.value))

    def click(self, axis: Axis) -> Click:
        """Return the click on that frame."""
        rows, columns = axis.plane
        return Click(getattr(self, rows.value), getattr(self, columns.value), self.positive)


def prompts_along(
    axis: Axis, voxels: Mapping[ObjectId, Sequence[Voxel]]
) -> dict[ObjectId, dict[FrameIndex, PromptSet]]:
    """Return clicks in space as prompts on the frames along an axis."""
    prompts: dict[ObjectId, dict[FrameIndex, PromptSet]] = {}
    for number, own in voxels.items():
        by_frame = prompts.setdefault(number, {})
        for voxel in own:
            before = by_frame.get(voxel.on(axis), PromptSet())
            by_frame[voxel.on(axis)] = before.with_click(voxel.click(axis))
    return prompts


class VolumeFrames:
    """The frames of a volume along one axis: a `FrameSource` that reads one slice at a time.

    Where the spacing of rows and columns differs, the coarser of them is resampled to the finer one, so that
    pixels are square; a long frame is padded to a square with its own minimum. Nothing is ever made coarser:
    `to_plane(to_frame(mask))` is `mask`, pixel by pixel.

    Parameters
    ----------
    volume
        (Z, Y, X), or (Z, Y, X, 3) in colour; any dtype. Along Z, slices are read one at a time; frames along
        Y and X read across all of them.
    axis
        What is followed.
    spacing
        Distance of slices, rows and columns, in any unit; equal if left out.
    smooth
        Standard deviation, in units of the smallest spacing, of a Gaussian over all three axes, against shot
        noise: neighbouring slices hold more light. 0 for none.

    Attributes
    ----------
    space : tuple of int
        (Z, Y, X) of the volume.
    plane, frame : tuple of int
        Rows and columns across the axis: in voxels, and in pixels of the frames.
    step : float
        Distance of two frames in units of a frame's pixel.

    Raises
    ------
    ImageError
        If the volume has another layout, or the spacing or smoothing makes no sense.
    """

    def __init__(
        self,
        volume: VolumeSource,
        axis: Axis | str = Axis.Z,
        spacing: Sequence[float] | None = None,
        smooth: float = 0.0,
    ) -> None:
        self.volume, self.axis = volume, _axis(axis)
        whole = tuple(int(n) for n in volume.shape)
        if len(whole) not in (3, 4) or 0 in whole or (len(whole) == 4 and whole[3] not in (3, 4)):
            raise ImageError(
                f"A volume has the shape (Z, Y, X), or (Z, Y, X, 3) in colour, got {whole}: pick one time "
                "and one channel before."
            )
        self.spacing = tuple(float(step) for step in ((1.0, 1.0, 1.0) if spacing is None else spacing))
        if len(self.spacing) != 3 or not all(isfinite(step) and step > 0 for step in self.spacing):
            raise ImageError(f"The spacing is three distances above 0 (z, y, x), got {spacing}.")
        if not (isfinite(smooth) and smooth >= 0):
            raise ImageError(f"Smoothing is a number of pixels from 0 (none) on, got {smooth}.")
        self.smooth = float(smooth)
        steps = [self.spacing[part.number] for part in self.axis.plane]
        finest = min(steps)
        self.space, self._colour = whole[:3], whole[3:]
        self.step = self.spacing[self.axis.number] / finest
        self.plane = (whole[self.axis.plane[0].number], whole[self.axis.plane[1].number])
        self._square = tuple(
            max(n, round(n * step / finest)) for n, step in zip(self.plane, steps, strict=True)
        )
        longest = max(self._square)
        padded = longest > SLIM * min(self._square)
        self.frame = (longest, longest) if padded else (self._square[0], self._square[1])
        self._length = whole[self.axis.number]
        self._raw: OrderedDict[int, Array] = OrderedDict()

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, rows, columns[, colours]) as the network gets them."""
        return (self._length, *self.frame, *self._colour)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Array:
        """Return a frame: resampled, smoothed, padded; of the volume's dtype where nothing is to be done."""
        if not 0 <= index < len(self):  # this is what ends a loop, too
            raise IndexError(f"There are {len(self)} slices along {self.axis.value}, so there is no {index}.")
        plane = self._smoothed(index) if self.smooth else self._read(index)
        factors = [new / old for new, old in zip(self._square, self.plane, strict=True)]
        if max(factors) > 1:
            zoom = (*factors, *(1 for _ in self._colour))
            plane = ndimage.zoom(plane.astype(np.float32), zoom, order=1, mode="nearest", grid_mode=True)
        if self.frame != self._square:
            rest = [(0, whole - part) for whole, part in zip(self.frame, self._square, strict=True)]
            plane = np.pad(plane, (*rest, *((0, 0) for _ in self._colour)), constant_values=plane.min())
        return plane

    def intensity(self) -> IntensityMap:
        """Return one mapping for all frames along any axis: padding counts for nothing."""
        return IntensityMap.for_frames(_Planes(self))

    def to_frame(self, mask: Array) -> Mask:
        """Return a mask (rows, columns) of the volume's voxels as one of the frame's pixels."""
        frame = np.zeros(self.frame, bool)
        rows, columns = (_nearest(n, m) for n, m in zip(self._square, self.plane, strict=True))
        frame[: self._square[0], : self._square[1]] = np.asarray(mask, bool)[np.ix_(rows, columns)]
        return frame

    def to_plane(self, frame: Array) -> Mask:
        """Return a mask of the frame's pixels as one of the volume's voxels (rows, columns)."""
        rows, columns = (_nearest(m, n) for n, m in zip(self._square, self.plane, strict=True))
        mask: Mask = np.asarray(frame, bool)[np.ix_(rows, columns)]
        return mask

    def to_frame_prompt(self, prompt: PromptSet) -> PromptSet:
        """Return a prompt in voxels of a plane as one in pixels of the frame.

        Raises
        ------
        PromptError
            If it is empty, or lies outside the plane.
        """
        pixels.check_prompt(prompt, self.plane)
        clicks = tuple(Click(*self._moved(one.y, one.x), one.positive) for one in prompt.clicks)
        box = prompt.box
        if box is not None:
            box = Box(*self._moved(box.y0, box.x0), *self._moved(box.y1, box.x1))
        mask = None if prompt.mask is None else MaskPrompt(self.to_frame(prompt.mask.mask))
        return PromptSet(clicks, box, mask)

    def _moved(self, y: float, x: float) -> tuple[float, float]:
        factors = [new / old for new, old in zip(self._square, self.plane, strict=True)]
        return (y + 0.5) * factors[0] - 0.5, (x + 0.5) * factors[1] - 0.5

    def part(self, bounds: tuple[slice, ...]) -> Array:
        """Return a part (z, y, x) of a volume that is followed along Z, gray, as it is stored."""
        planes = [self._read(z)[bounds[1:]] for z in range(bounds[0].start, bounds[0].stop)]
        part = np.stack(planes)
        return part.mean(axis=3) if self._colour else part

    def _read(self, index: int) -> Array:
        if self.axis is Axis.Z:  # what reads frames alone will do
            return np.asarray(self.volume[index])
        return np.asarray(self.volume[(*(slice(None),) * self.axis.number, index)])

    def _smoothed(self, index: int) -> Array:
        """Return a plane smoothed along all axes; the ends of the volume are continued."""
        sigmas = [self.smooth * min(self.spacing) / step for step in self.spacing]
        along = sigmas[self.axis.number]
        reach = ceil(3 * along)
        offsets = np.arange(-reach, reach + 1)
        weights = np.exp(-0.5 * (offsets / along) ** 2)
        weights /= weights.sum()
        plane: Array = np.zeros((*self.plane, *self._colour), np.float32)
        for offset, weight in zip(offsets, weights, strict=True):
            plane += np.float32(weight) * self._kept(int(np.clip(index + offset, 0, self._length - 1)), reach)
        across = [sigmas[part.number] for part in self.axis.plane]
        return ndimage.gaussian_filter(plane, (*across, *(0 for _ in self._colour)), mode="nearest")

    def _kept(self, index: int, reach: int) -> Array:
        """Read a plane, or take it from those around: neighbours are read again and again."""
        if index not in self._raw:
            self._raw[index] = self._read(index)
            while len(self._raw) > 2 * reach + 1:
                self._raw.popitem(last=False)
        return self._raw[index]


@dataclass(frozen=True, slots=True)
class _Planes:
    """Frames before they are resampled and padded."""

    frames: VolumeFrames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Array:
        return self.frames._smoothed(index) if self.frames.smooth else self.frames._read(index)


def _axis(axis: Axis | str) -> Axis:
    try:
        return Axis(axis)
    except ValueError:
        raise PromptError(f'The axis is "z", "y" or "x", got {axis!r}.') from None


def _nearest(new: int, old: int) -> npt.NDArray[np.intp]:
    """Return for each of `new` cells the one of `old` ones, over the same length, that its middle lies in."""
    return ((2 * np.arange(new) + 1) * old // (2 * new)).astype(np.intp)
