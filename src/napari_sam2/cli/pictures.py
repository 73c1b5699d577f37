"""The demo's pictures on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_sam2.errors import StorageError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.imaging.overlay import contact_sheet, overlay

_ON_THE_SHEET = 8
_COLUMNS = 4


def draw_movie(
    folder: Path, images: npt.NDArray[Any], labels: npt.NDArray[Any], intensity: IntensityMap
) -> None:
    """Write images.tif, overlay.png (some frames on one sheet) and frames/0000.png on.

    Parameters
    ----------
    images, labels
        (T, H, W).

    Raises
    ------
    StorageError
        If the folder cannot be written or the disk is full.
    """
    chosen = set(
        np.linspace(0, len(images) - 1, min(_ON_THE_SHEET, len(images))).round().astype(int).tolist()
    )
    on_sheet = []
    try:
        tifffile.imwrite(
            folder / "images.tif",
            images,
            photometric="minisblack",
            metadata={"axes": "TYX"},
            compression="zlib",
        )
        for frame, (image, mask) in enumerate(zip(images, labels, strict=True)):
            picture = overlay(intensity(image), mask)
            Image.fromarray(picture).save(folder / "frames" / f"{frame:04d}.png")
            if frame in chosen:
                on_sheet.append(picture)
        Image.fromarray(contact_sheet(on_sheet, _COLUMNS)).save(folder / "overlay.png")
    except OSError as error:
        raise StorageError(
            f"The pictures cannot be written to {folder}: {error.strerror or error}. Make room, or choose "
            "another folder with --out."
        ) from error
