"""An array whose axes have names, laid out as other names ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sam2.errors import ImageError


def arranged(array: Any, letters: str, wanted: str) -> Any:
    """Return an array with its axes in the order of `wanted`.

    Parameters
    ----------
    array
        One axis a letter.
    letters, wanted
        Of T, Z, C, Y, X. Axes of length 1 may come and go.

    Returns
    -------
    Array
        The same object where nothing has to be moved, so that what is lazy stays lazy.

    Raises
    ------
    ImageError
        An axis that is longer than 1 is not wanted.
    """
    if letters == wanted:
        return array
    sizes = dict(zip(letters, array.shape, strict=True))
    lost = [letter for letter in letters if letter not in wanted and sizes[letter] > 1]
    if lost:
        raise ImageError(
            f"The image has the axes {letters} {tuple(array.shape)}, but the session was made with {wanted}: "
            "open the image as it was then, and the session in the SAM 2 window."
        )
    there = "".join(letter for letter in letters if letter in wanted)
    pixels = np.asarray(array[...]).reshape([sizes[letter] for letter in there])
    ordered = "".join(letter for letter in wanted if letter in there)
    pixels = pixels.transpose([there.index(letter) for letter in ordered])
    return pixels.reshape([sizes.get(letter, 1) for letter in wanted])
