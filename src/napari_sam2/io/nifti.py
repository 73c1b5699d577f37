"""NIfTI volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import StorageError
from napari_sam2.io.damage import unreadable
from napari_sam2.io.lazy_array import Array, LazyArray, Place
from napari_sam2.io.opened_image import OpenedImage, Spacing

# The file stores X fastest, then Y, Z, time, and one axis more for vectors.
STORED = "XYZTC"


def open_nifti(path: Path, axes: str | None = None) -> OpenedImage:
    """Open a NIfTI file as ZYX, TZYX or CTZYX, in the order in which it is stored, scaled as it says.

    A slice of an uncompressed file is read by itself. A compressed one (.nii.gz) is decompressed up to the
    slice: going through it in order costs one pass, going back begins anew.

    Parameters
    ----------
    path
        .nii or .nii.gz.
    axes
        As for `open_image`; slowest first, so that X comes last.

    Raises
    ------
    StorageError
        nibabel is missing, or the file is damaged.
    """
    try:
        import nibabel
    except ModuleNotFoundError as error:
        raise StorageError(
            f"{path.name} is a volume that nibabel reads: pip install napari-sam2[volumes]."
        ) from error
    try:
        volume: Any = nibabel.load(path, keep_file_open=True)
        proxy, header = volume.dataobj, volume.header
        steps = [float(step) for step in header.get_zooms()]
        space, time = header.get_xyzt_units()
        corner = np.asarray(proxy[(slice(0, 1),) * len(proxy.shape)])
    except Exception as error:  # nibabel raises its own kinds, those of zlib and of the system
        raise unreadable(path, error) from error
    shape = tuple(int(n) for n in proxy.shape[::-1])
    units = dict.fromkeys("XYZ", space) | {"T": time}
    stored = STORED[: len(shape)] if len(shape) <= len(STORED) else "Q" * len(shape)
    spacing = {
        letter: Spacing(step, units[letter])
        for letter, step in zip(stored, steps, strict=False)
        if letter in units
    }

    def fetch(place: Place) -> Array:
        try:
            return np.asarray(proxy[place[::-1]]).T
        except Exception as error:  # as above
            raise unreadable(path, error, f" at {place[0]}") from error

    # nibabel closes its file when the last reference is gone, and closing the array drops that.
    array = LazyArray(path.name, shape, corner.dtype, fetch)
    return OpenedImage(array, stored[::-1], axes=axes, spacing=spacing)
