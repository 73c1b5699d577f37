"""The letters of an image's axes, and how far they may be guessed."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.errors import ImageError

LETTERS = "TZCYX"
# What tifffile calls an axis of which only the order is known: unknown, sequence.
NAMELESS = "QI"


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of an image after they were settled.

    Attributes
    ----------
    letters
        Of T (time), Z (depth), C (channel or colour), Y, X, each at most once.
    dropped
        Numbers of the axes of length 1 in the file that have another meaning, and are left out.
    """

    letters: str
    dropped: tuple[int, ...] = ()


def is_colour(letters: str, shape: tuple[int, ...]) -> bool:
    """Tell whether C is colour: RGB and RGBA lie last; channels of a microscope lie elsewhere."""
    return letters.endswith("C") and shape[-1] in (3, 4)


def guess_axes(name: str, shape: tuple[int, ...]) -> str:
    """Return the axes of an array that nobody named: YX, TYX, YXC and TYXC, where C is colour.

    Raises
    ------
    ImageError
        The shape could be anything; `name` is for this.
    """
    if len(shape) == 2:
        return "YX"
    if len(shape) == 3:
        return "YXC" if shape[2] in (3, 4) and shape[0] > 4 else "TYX"
    if len(shape) == 4 and shape[3] in (3, 4):
        return "TYXC"
    example = {4: "TZYX", 5: "TZCYX"}.get(len(shape))
    advice = f'name them, as in axes="{example}"' if example else "give an image of 2 to 5 axes"
    raise ImageError(f"{name} has shape {shape}, and nothing in it says what its axes are: {advice}.")


def settle_axes(name: str, stored: str, shape: tuple[int, ...], given: str | None = None) -> Axes:
    """Decide which axis is which.

    Parameters
    ----------
    name
        What to call the image in errors.
    stored
        A letter for each axis, as the file names them; S is colour, others than T, Z, C, Y, X are foreign.
    shape
        The length of each axis.
    given
        What the user says instead.

    Raises
    ------
    ImageError
        Letters are missing, too many, twice or foreign.
    """
    if given is not None:
        letters = given.upper().replace("S", "C")
        if len(letters) != len(shape):
            raise ImageError(
                f"{name} has {len(shape)} axes, {stored} {shape}, but axes={given!r} names {len(letters)}: "
                "give one letter for each."
            )
        dropped: tuple[int, ...] = ()
    else:
        letters = stored.upper()
        if "S" in letters and shape[letters.index("S")] > 1 and _length("C", letters, shape) > 1:
            raise ImageError(
                f"{name} has axes {stored} {shape}, that is channels (C) of colour (S): save one channel "
                "as its own file."
            )
        dropped = tuple(
            i
            for i, letter in enumerate(letters)
            if shape[i] == 1 and (letter not in "TZCYXS" or (letter == "C" and "S" in letters))
        )
        letters = "".join(letter for i, letter in enumerate(letters) if i not in dropped).replace("S", "C")
        nameless = [letter for letter in letters if letter in NAMELESS]
        if len(nameless) == 1 and "T" not in letters:
            letters = letters.replace(nameless[0], "T")
    if len(set(letters)) < len(letters) or set(letters) - set(LETTERS) or not {"Y", "X"} <= set(letters):
        raise ImageError(
            f"{name} has axes {stored} {shape}"
            + (f", and axes={given!r} does not fit" if given is not None else "")
            + ": name each axis once, with T, Z, C, Y and X, Y and X among them, as in "
            f'axes="{LETTERS[max(0, 5 - len(shape)) :]}".'
        )
    return Axes(letters, dropped)


def _length(letter: str, letters: str, shape: tuple[int, ...]) -> int:
    return shape[letters.index(letter)] if letter in letters else 1
