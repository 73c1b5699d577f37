"""PNG and JPEG pictures as arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_sam2.errors import ImageError
from napari_sam2.io.damage import unreadable

PICTURE = (".png", ".jpg", ".jpeg")
# What Pillow calls pixels that are taken as they are; other kinds are converted to gray or colour.
MODES = {"1": "?", "L": "u1", "I;16": "u2", "I;16B": "u2", "I": "i4", "F": "f4", "RGB": "u1", "RGBA": "u1"}


def picture_layout(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and dtype of a PNG or JPEG from its head."""
    with path.open("rb") as file:
        head = file.read(26)
    if head[:4] == b"\x89PNG" and head[24:25] == b"\x10" and head[25:26] != b"\0":
        # Pillow would halve the depth of these without a word.
        raise ImageError(f"{path.name} is a PNG of 16 bits a colour, which lose half here: save it as TIFF.")
    with _picture(path) as picture:
        mode, shape = _plain_mode(picture), (picture.height, picture.width)
    return (*shape, len(mode)) if mode in ("RGB", "RGBA") else shape, np.dtype(MODES[mode])


def _plain_mode(picture: Image.Image) -> str:
    return picture.mode if picture.mode in MODES else "L" if picture.mode == "LA" else "RGB"


@contextmanager
def _picture(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        # Pillow suspects a bomb where a microscope took a large image.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                yield picture
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise unreadable(path, error) from error


def read_picture(path: Path) -> npt.NDArray[Any]:
    """Read a PNG or JPEG, (H, W) or (H, W, C)."""
    with _picture(path) as picture:
        mode = _plain_mode(picture)
        return np.array(picture if mode == picture.mode else picture.convert(mode))
