"""Label images in picture files: gray values or a palette's numbers, never colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_sam2.errors import ImageError
from napari_sam2.io.damage import unreadable
from napari_sam2.io.labels import read_labels
from napari_sam2.io.pictures import PICTURE

NUMBERED = ("1", "P", "L", "I;16", "I;16B", "I")


def label_plane(path: Path) -> npt.NDArray[Any]:
    """Read one label image (H, W) of whole numbers; a PNG with a palette gives the numbers, not the colours.

    Raises
    ------
    ImageError
        The file holds colours, fractions, negative numbers or several planes.
    StorageError
        The file is missing or damaged.
    """
    if path.suffix.lower() not in PICTURE:
        planes = read_labels(path)
        if len(planes) != 1:
            raise ImageError(f"{path.name} holds {len(planes)} planes, but one label image is expected.")
        return np.asarray(planes[0])
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            if picture.mode not in NUMBERED or picture.format == "JPEG":
                raise ImageError(
                    f"{path.name} is a {picture.format} of mode {picture.mode}, but labels are whole "
                    "numbers: save them as a gray or indexed PNG, or as TIFF."
                )
            plane = np.array(picture)
    except ImageError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, error) from error
    return plane.astype(np.uint8) if plane.dtype == bool else plane


def label_size(path: Path) -> tuple[int, int]:
    """Return (H, W) of a label picture from its head."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            return picture.height, picture.width
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, error) from error
