"""Which frames are taken from an image with more axes than frames have."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_sam2.errors import ImageError
from napari_sam2.io.axes import is_colour

ALL = "all"


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """One way through an image.

    Attributes
    ----------
    along
        The axis along which frames follow each other, T or Z; None for a single frame.
    held
        Where to stay along the other axes, in the order of the axes.
    channels
        Whether every channel is kept, as (H, W, C).
    """

    along: str | None
    held: tuple[tuple[str, int], ...]
    channels: bool


def choose_frames(
    layout: str,
    axes: str,
    shape: tuple[int, ...],
    names: Sequence[str] = (),
    *,
    along: str | None = None,
    at: Mapping[str, int] | None = None,
    channel: int | str | None = None,
) -> FrameChoice:
    """Decide how frames are taken from an image; nothing is guessed where there is a choice.

    Parameters
    ----------
    layout
        The name, axes and shape of the image, for errors.
    axes, shape
        One of T, Z, C, Y, X for each axis, and its length.
    names
        Of the channels, where they have any.
    along
        T or Z; by default the one that is longer than 1 and not held.
    at
        Where to stay along other axes; {"Z": 3} is slice 3 (counted from 0, negative from the end).
    channel
        A number, a name, or "all". Colour that lies last is kept by default.

    Raises
    ------
    ImageError
        Something is left to choose, or the choice does not fit the image.
    """
    sizes = dict(zip(axes, shape, strict=True))
    held = {letter.upper(): _inside(layout, letter.upper(), n, sizes) for letter, n in (at or {}).items()}
    if channel is not None and channel != ALL:
        if "C" in held:
            raise ImageError(f'Both channel={channel!r} and at={{"C": ...}} are given: give one of them.')
        number = _named(layout, names, channel) if isinstance(channel, str) else channel
        held["C"] = 0 if number in (0, -1) and "C" not in sizes else _inside(layout, "C", number, sizes)
        if "C" not in sizes:
            del held["C"]
    colour = is_colour(axes, shape)
    channels = "C" in sizes and "C" not in held and (channel == ALL or colour)
    if along is not None:
        along = along.upper()
        if along not in ("T", "Z") or along not in sizes or along in held:
            raise ImageError(
                f"{layout}: frames cannot follow each other along {along!r}. Name T or Z, if the image has "
                "it, and do not hold it with at."
            )
    free = [letter for letter in "TZ" if sizes.get(letter, 1) > 1 and letter not in held]
    others = [letter for letter in free if letter != along] if along else free[1:]
    many = sizes.get("C", 1) > 1 and "C" not in held and not channels
    if others or many:
        advice = ["pick one channel (C) with channel=0, or keep them with channel='all'"] * many
        advice += ['either time (T) with at={"Z": 0} or depth (Z) with at={"T": 0}'] * bool(others)
        raise ImageError(
            f"{layout}, but frames are read from YX, TYX or ZYX, and in colour with S last: "
            f"{', and '.join(advice)}."
        )
    along = along or (free[0] if free else next((a for a in "TZ" if a in sizes and a not in held), None))
    for letter in sizes:
        if letter not in held and letter not in ("Y", "X", along) and not (letter == "C" and channels):
            held[letter] = 0
    return FrameChoice(along, tuple((letter, held[letter]) for letter in axes if letter in held), channels)


def _inside(layout: str, letter: str, number: int, sizes: Mapping[str, int]) -> int:
    number = operator.index(number)
    if letter not in set(sizes) - {"Y", "X"}:
        raise ImageError(
            f"{layout}: it cannot be held at {letter} = {number}. Hold one of its axes but Y and X."
        )
    if not -sizes[letter] <= number < sizes[letter]:
        raise ImageError(
            f"{layout}: there is no {letter} = {number}. Count from 0 to {sizes[letter] - 1} along {letter}."
        )
    return number % sizes[letter]


def _named(layout: str, names: Sequence[str], name: str) -> int:
    if list(names).count(name) != 1:
        known = f"The names are {', '.join(map(repr, names))}" if names else "Its channels have no names"
        raise ImageError(f"{layout}: there is no single channel {name!r}. {known}; a number works, too.")
    return list(names).index(name)
