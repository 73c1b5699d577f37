"""What becomes of the axes when a user calls one of them something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_sam2.errors import ImageError
from napari_sam2.plugin.layer_axes import LETTERS, LayerAxes

WORDS: Mapping[str, str] = {
    "T": "time: frame after frame",
    "Z": "depth: slice after slice",
    "C": "channels, seen together",
    "Y": "rows",
    "X": "columns",
}


def called(letters: str, axis: int, letter: str) -> str:
    """Return the letters after one axis got another; the axis that had it takes the old one in exchange.

    Parameters
    ----------
    letters
        One of T, Z, C, Y, X for each axis.
    axis
        Number of the axis.
    letter
        What it is from now on.
    """
    old = letters[axis]
    swapped = [old if one == letter else one for one in letters]
    swapped[axis] = letter
    return "".join(swapped)


def wrong(letters: str, shape: Sequence[int]) -> str:
    """Return in a sentence why these letters cannot be; an empty text where they can."""
    try:
        LayerAxes.of(letters, shape)
    except ImageError as error:
        return str(error)
    return ""


def offered(rgb_axis: bool) -> str:
    """Return the letters that an axis can have; the colours of an RGB layer are channels for good."""
    return "C" if rgb_axis else LETTERS


def ways(axes: LayerAxes) -> str:
    """Return T, Z or both: what frames can follow each other along."""
    return "".join(
        one for one, size in zip(axes.letters, axes.shape, strict=True) if one in "TZ" and size > 1
    )


def held_letter(axes: LayerAxes) -> str:
    """Return the axis that the session stays at one place of; empty where there is none to choose."""
    both = ways(axes)
    return both.replace(axes.along or "", "") if len(both) == 2 else ""


def sentence(axes: LayerAxes) -> str:
    """Return what was understood, in words."""
    held = held_letter(axes)
    word = {"T": "frames through time", "Z": "slices through depth"}.get(axes.along or "", "")
    if axes.frames == 1 or not word:
        return "A single image."
    place = {"T": "frame", "Z": "slice"}.get(held, "")
    return f"{axes.frames} {word}" + (f", at {place} {axes.at[held]}." if held else ".")
