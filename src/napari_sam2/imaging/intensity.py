"""Any dtype and channels become the RGB that the model sees, by one mapping for a whole stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, isfinite, sqrt
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError

Color = tuple[float, float, float]
Array = npt.NDArray[Any]

WHITE: Color = (1.0, 1.0, 1.0)
RGB: tuple[Color, ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GREEN_MAGENTA: tuple[Color, ...] = ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0))
# Beyond three channels the colors mix; these six stay apart longest.
MANY: tuple[Color, ...] = (*RGB, (1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0))


class FrameSequence(Protocol):
    """Frames that can be counted and fetched one by one: an array, a list, a lazily read file."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of the image, the range of it that is shown, and the color it is shown in.

    Parameters
    ----------
    index
        Position on the last axis of the frame; 0 for a gray frame (H, W).
    low, high
        Pixel values that become black and full color, in units of the image.
    color
        Red, green and blue, each in [0, 1].

    Raises
    ------
    ImageError
        The range is empty or not finite, the index is negative, or the color is not in [0, 1].
    """

    index: int
    low: float
    high: float
    color: Color = WHITE

    def __post_init__(self) -> None:
        given = f"low={self.low}, high={self.high}"
        if self.index < 0:
            raise ImageError(f"A channel index counts from 0, got {self.index}.")
        if not (isfinite(self.low) and isfinite(self.high) and isfinite(self.high - self.low)):
            raise ImageError(f"An intensity range needs finite ends, got {given}.")
        if self.low >= self.high:
            raise ImageError(f"The intensity range {given} is empty: low must be smaller than high.")
        if len(self.color) != 3 or not all(0.0 <= part <= 1.0 for part in self.color):
            raise ImageError(f"A color is (red, green, blue), each from 0 to 1, got {self.color}.")


@dataclass(frozen=True, slots=True)
class IntensityMap:
    """The mapping from frames to model pixels: a plain value, the same for every frame of a stack.

    >>> IntensityMap.window(100, 300)(np.array([[100, 200, 900]], np.uint16))[0, :, 0].tolist()
    [0.0, 0.5, 1.0]
    """

    channels: tuple[Channel, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise ImageError("An intensity map needs at least one channel, got none.")

    def __call__(self, frame: Any) -> npt.NDArray[np.float32]:
        """Map one frame.

        Parameters
        ----------
        frame
            (H, W) or (H, W, C); bool, integer or float. Channels that the map does not name are ignored.

        Returns
        -------
        numpy.ndarray
            float32 (H, W, 3) in [0, 1], freshly allocated.

        Raises
        ------
        ImageError
            Wrong number of axes, no pixels, complex or object dtype, NaN or infinite pixels, missing channel.
        """
        frame = _checked(frame)
        count = 1 if frame.ndim == 2 else frame.shape[2]
        missing = [channel.index for channel in self.channels if channel.index >= count]
        if missing:
            raise ImageError(
                f"The map reads channel {missing[0]} (counted from 0), but the frame {frame.shape} has "
                f"{count} channel(s): fit a new map to this image."
            )
        planes = [_window(frame if frame.ndim == 2 else frame[:, :, c.index], c) for c in self.channels]
        out = np.empty((*frame.shape[:2], 3), np.float32)
        for part in range(3):
            weights = [np.float32(channel.color[part]) for channel in self.channels]
            shown = [(plane, weight) for plane, weight in zip(planes, weights, strict=True) if weight]
            tinted = [plane if weight == 1 else plane * weight for plane, weight in shown]
            out[:, :, part] = tinted[0] if tinted else 0
            for plane in tinted[1:]:
                out[:, :, part] = np.minimum(out[:, :, part] + plane, 1)
        return out

    @classmethod
    def identity(cls) -> IntensityMap:
        """Return the map of 8-bit RGB: exactly ``frame / 255`` in float32; alpha is ignored."""
        return cls(tuple(Channel(i, 0.0, 255.0, color) for i, color in enumerate(RGB)))

    @classmethod
    def window(cls, low: float, high: float) -> IntensityMap:
        """Return the gray map that shows values from `low` (black) to `high` (white); low < high."""
        return cls((Channel(0, float(low), float(high)),))

    @classmethod
    def for_frames(cls, frames: FrameSequence) -> IntensityMap:
        """Choose the map for frames of which nothing is known but their pixels.

        8-bit colour keeps its values, other colour gets one joint range, so that hues survive; alpha is
        ignored in both. Everything else is fitted channel by channel.

        Parameters
        ----------
        frames
            (T, H, W), (T, H, W, C) or a sequence of frames; 3 or 4 channels mean RGB or RGBA.

        Raises
        ------
        ImageError
            As `fit`.
        """
        first = _first(frames)
        if first.ndim == 3 and first.shape[2] in (3, 4):
            fitted = cls.fit(frames, colors=RGB, joint=True)
            return cls.identity() if first.dtype == np.uint8 else fitted
        return cls.fit(frames)

    @classmethod
    def fit(
        cls,
        frames: FrameSequence,
        percentiles: tuple[float, float] = (0.5, 99.5),
        colors: Sequence[Color] | None = None,
        max_frames: int = 16,
        max_pixels: int = 1_000_000,
        joint: bool = False,
    ) -> IntensityMap:
        """Fit each channel's range to percentiles of a sample of the stack.

        Parameters
        ----------
        frames
            (T, H, W), (T, H, W, C) or a sequence of frames, indexed lazily one frame at a time.
        percentiles
            The ranks that become black and full color. Where they coincide (a very sparse image) the smallest
            and largest sampled values stand in. A constant channel beside a varying one becomes black.
        colors
            One color a channel; by default white, green and magenta, or red, green, blue and their mixtures.
            Channels beyond the last color are left out.
        max_frames, max_pixels
            Bounds on the evenly spaced frames that are read, and on the pixels a channel that are ranked.
        joint
            One range for all channels, so that hues survive.

        Raises
        ------
        ImageError
            As calling the map does; and a stack without frames, a constant one, or senseless arguments.
        """
        first = _first(frames)
        count = 1 if first.ndim == 2 else first.shape[2]
        if colors is None:
            colors = {1: (WHITE,), 2: GREEN_MAGENTA}.get(count, MANY[:count])
            if count > len(MANY):
                raise ImageError(
                    f"There are colors for {len(MANY)} channels, but the frames have {count}: give `colors`, "
                    "one (red, green, blue) a channel, or pick fewer channels."
                )
        if not 0 < len(colors) <= count:
            raise ImageError(f"{len(colors)} color(s) came for {count} channel(s): give one a channel.")
        count = len(colors)
        if not 0 <= percentiles[0] < percentiles[1] <= 100:
            raise ImageError(f"Percentiles rise from 0 to 100, got {percentiles}.")
        if max_frames < 1 or max_pixels < 1:
            raise ImageError(f"At least one frame and pixel must be read, got {max_frames} and {max_pixels}.")
        wanted = np.linspace(0, len(frames) - 1, min(len(frames), max_frames)).round().astype(int).tolist()
        stride = max(1, ceil(sqrt(first.shape[0] * first.shape[1] * len(wanted) / max_pixels)))
        sample = _sample(frames, wanted, count, stride, joint)
        low, high = np.percentile(sample.astype(np.float64), percentiles, axis=1)
        sparse = low >= high
        if sparse.any():
            # What is rare may fall between the strides: only then are the sampled frames looked at in full.
            sample = _sample(frames, wanted, count, 1, joint) if stride > 1 else sample
            low, high = np.where(sparse, sample.min(axis=1), low), np.where(sparse, sample.max(axis=1), high)
        if (low >= high).all():
            values = " or ".join(dict.fromkeys(f"{value:g}" for value in low))
            raise ImageError(
                f"Every sampled pixel is {values}: there is nothing to segment. Check that the right channel "
                "and file were chosen, and that the exposure was not empty."
            )
        high = np.where(low < high, high, low + np.maximum(1.0, abs(low)))
        ends = np.broadcast_to([low, high], (2, count)) if joint else np.stack([low, high])
        return cls(tuple(Channel(i, float(ends[0, i]), float(ends[1, i]), c) for i, c in enumerate(colors)))


def _checked(pixels: Any, where: str = "The frame") -> Array:
    """Return the frame as an array; `where` opens the sentence of an error."""
    frame: Array = np.asarray(pixels)
    if frame.dtype.kind not in "buif":
        raise ImageError(
            f"{where} has dtype {frame.dtype}, but pixels are bool, integer or float: "
            "take the magnitude of complex data, and convert objects to numbers."
        )
    if frame.ndim not in (2, 3):
        raise ImageError(
            f"{where} has shape {frame.shape}, but a frame is (H, W) or, channels last, (H, W, C): "
            "give a stack frame by frame, and a single image as a stack of one, `image[None]`."
        )
    if frame.size == 0:
        raise ImageError(f"{where} has shape {frame.shape}, that is 0 pixels: check the crop that made it.")
    if frame.dtype.kind == "f":
        bad = frame.size - int(np.count_nonzero(np.isfinite(frame)))
        if bad:
            raise ImageError(
                f"{where} holds {bad} NaN or infinite value(s) among {frame.size}: replace them before, for "
                "example with numpy.nan_to_num."
            )
    return frame


def _first(frames: FrameSequence) -> Array:
    if len(frames) == 0:
        raise ImageError("The stack holds 0 frames, so 0 pixels: give at least one frame.")
    return _checked(frames[0], "Frame 0")


def _fetch(frames: FrameSequence, index: int, count: int, stride: int) -> Array:
    """Return frame `index`, thinned, as (count, pixels)."""
    frame = frames[index]
    thinned = frame[::stride, ::stride] if stride > 1 else frame
    pixels = _checked(thinned, f"Frame {index}")
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] < count:
        raise ImageError(
            f"Frame {index} has {pixels.shape[2]} channel(s), but {count} are wanted: make all frames alike."
        )
    flat: Array = pixels[:, :, :count].reshape(-1, count).T
    return flat


def _sample(frames: FrameSequence, wanted: list[int], count: int, stride: int, joint: bool) -> Array:
    """Return the wanted frames as (count, pixels), or (1, pixels) where all channels share one range."""
    sample = np.concatenate([_fetch(frames, index, count, stride) for index in wanted], axis=1)
    return sample.reshape(1, -1) if joint else sample


@lru_cache(maxsize=32)
def _table(dtype: np.dtype[Any], low: float, high: float) -> npt.NDArray[np.float32]:
    """Return the windowed value of every bit pattern of an integer dtype of at most 16 bits."""
    bits = np.arange(256**dtype.itemsize, dtype=f"u{dtype.itemsize}")
    values = bits if dtype.kind == "b" else bits.view(dtype)
    return _window_wide(values, low, high)


def _window_wide(values: Array, low: float, high: float) -> npt.NDArray[np.float32]:
    wide = np.clip(values.astype(np.float64), low, high)
    return ((wide - low) / (high - low)).astype(np.float32)


def _window(plane: Array, channel: Channel) -> npt.NDArray[np.float32]:
    """Return (plane - low) / (high - low), clipped to [0, 1]."""
    dtype, low, high = plane.dtype.newbyteorder("="), channel.low, channel.high
    if dtype.kind in "bui" and dtype.itemsize <= 2:
        bits = plane.astype(dtype, copy=False).view(f"u{dtype.itemsize}")
        return np.take(_table(dtype, low, high), bits)
    # In float32, wide integers and doubles would lose the digits that a narrow window shows, and extreme
    # ranges would overflow.
    tame = high - low > 1e-30 and max(abs(low), abs(high)) < 1e30
    if dtype.kind == "f" and dtype.itemsize <= 4 and tame:
        clipped = np.clip(plane.astype(np.float32, copy=False), np.float32(low), np.float32(high))
        np.subtract(clipped, np.float32(low), out=clipped)
        return np.clip(np.divide(clipped, np.float32(high - low), out=clipped), 0, 1, out=clipped)
    return _window_wide(plane, low, high)
