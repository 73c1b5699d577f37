"""How a user wants pixel values to become what the model sees: choices in, a mapping out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError
from napari_sam2.imaging.intensity import (
    GREEN_MAGENTA,
    MANY,
    RGB,
    WHITE,
    Channel,
    Color,
    FrameSequence,
    IntensityMap,
)

PERCENTILES = (0.5, 99.5)
# A tint darker than this shows nothing: such a colour map runs from light to dark.
DARK = 0.3


class Contrast(Enum):
    """Where ranges come from."""

    STACK = "percentiles of the stack"
    LAYER = "as the layer shows it"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel as the form shows it.

    Attributes
    ----------
    used
        Whether the model sees it.
    color
        Red, green and blue from 0 to 1.
    low, high
        Pixel values that become black and full colour.
    """

    used: bool
    color: Color
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Wish:
    """All that the form says.

    Attributes
    ----------
    contrast
        Where ranges come from.
    channels
        One row a channel.
    percentiles
        Which ones, where they decide.
    rgb
        Whether the channels are the colours of an RGB layer.
    """

    contrast: Contrast
    channels: tuple[ChannelRow, ...]
    percentiles: tuple[float, float] = PERCENTILES
    rgb: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """How napari shows a layer.

    Attributes
    ----------
    low, high
        Its contrast limits.
    color
        What its colour map ends in.
    channel
        Where the slider of its channels is.
    """

    low: float
    high: float
    color: Color = WHITE
    channel: int = 0


def intensity_for(wish: Wish, shown: Shown, frames: FrameSequence) -> IntensityMap | None:
    """Return the mapping that was wished for; None where the session's own is wished for.

    Frames are read where percentiles have to be found.

    Parameters
    ----------
    wish
        What the form says.
    shown
        How the layer is shown.
    frames
        The image, (T, H, W) or (T, H, W, C).

    Raises
    ------
    ImageError
        No channel is used, a range is empty, or the pixels have none.
    """
    used = [index for index, row in enumerate(wish.channels) if row.used]
    if wish.contrast is Contrast.LAYER:
        return as_shown(shown, frames, wish.rgb)
    if not used:
        raise ImageError("No channel is chosen: tick at least one that the model is to see.")
    rows = wish.channels
    if wish.contrast is Contrast.FIXED:
        return IntensityMap(tuple(Channel(i, rows[i].low, rows[i].high, rows[i].color) for i in used))
    colors = tuple(row.color for row in rows)
    # Of four channels a session takes the first three for colour, and leaves the fourth out.
    usual = colors == colors_for(len(rows), wish.rgb) and used == list(range(len(rows)))[: _seen(len(rows))]
    if usual and wish.percentiles == PERCENTILES:
        return None
    fitted = IntensityMap.fit(frames, wish.percentiles, colors, joint=wish.rgb)
    return IntensityMap(tuple(channel for channel in fitted.channels if channel.index in used))


def _seen(count: int) -> int:
    """Return how many channels a session sees by itself."""
    return 3 if count == 4 else count


def as_shown(shown: Shown, frames: FrameSequence, rgb: bool) -> IntensityMap:
    """Return the mapping that napari itself shows a layer with: of several channels the one on screen."""
    if not rgb:
        several = np.asarray(frames[0]).ndim == 3
        return IntensityMap((Channel(shown.channel if several else 0, shown.low, shown.high, shown.color),))
    whole = np.asarray(frames[0]).dtype
    top = float(np.iinfo(whole).max) if whole.kind in "ui" else 1.0
    return IntensityMap(tuple(Channel(i, 0.0, top, color) for i, color in enumerate(RGB)))


def colors_for(count: int, rgb: bool = False) -> tuple[Color, ...]:
    """Return the colours that a session shows so many channels in by itself."""
    if rgb:
        return RGB[:count]
    return {1: (WHITE,), 2: GREEN_MAGENTA}.get(count, tuple(MANY[i % len(MANY)] for i in range(count)))


def tint(colors: npt.NDArray[Any]) -> Color:
    """Return the colour that a colour map gives its highest value; white where that is dark.

    Parameters
    ----------
    colors
        (n, 3 or 4): the colours of the map, from its lowest value to its highest.
    """
    top = tuple(float(part) for part in np.clip(np.asarray(colors, np.float64)[-1, :3], 0, 1))
    return (top[0], top[1], top[2]) if max(top) >= DARK else WHITE


def rows_of(
    intensity: IntensityMap | None, count: int, rgb: bool, low: float, high: float
) -> tuple[ChannelRow, ...]:
    """Return the rows that show a mapping.

    Parameters
    ----------
    intensity
        The one in use; None as long as there is none.
    count
        Channels of the image.
    rgb
        Whether they are the colours of an RGB layer.
    low, high
        What to show for channels that the mapping leaves out.
    """
    known = {} if intensity is None else {channel.index: channel for channel in intensity.channels}
    rows = []
    for index, color in enumerate(colors_for(count, rgb)):
        channel = known.get(index)
        if channel is not None:
            rows.append(ChannelRow(True, channel.color, channel.low, channel.high))
        else:
            rows.append(ChannelRow(intensity is None, color, low, high))
    return tuple(rows)


def summary(intensity: IntensityMap) -> str:
    """Return a mapping in a few words, as ``12 to 3400``."""
    parts = [f"{channel.low:.4g} to {channel.high:.4g}" for channel in intensity.channels]
    if len(set(parts)) == 1:
        return parts[0]
    return ", ".join(
        f"C{channel.index}: {part}" for channel, part in zip(intensity.channels, parts, strict=True)
    )
