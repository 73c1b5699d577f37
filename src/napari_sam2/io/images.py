"""Every kind of image there is a way in for, with all its axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import StorageError
from napari_sam2.io.axes import guess_axes
from napari_sam2.io.damage import reading
from napari_sam2.io.image_folders import open_folder, open_picture
from napari_sam2.io.lazy_array import LazyArray
from napari_sam2.io.opened_image import OpenedImage, chosen_level
from napari_sam2.io.pictures import PICTURE
from napari_sam2.io.raw_planes import raw_planes
from napari_sam2.io.tiffs import TIFF, open_tiff

# Of these, open_image knows the kind by the name alone; folders are told apart by what is in them.
PLAIN = (*TIFF, *PICTURE, ".npy")
VIDEO = (".mp4", ".avi", ".mov", ".mkv")
NIFTI = (".nii", ".nii.gz")
NRRD = (".nrrd", ".nhdr")
ZARR = (".zarr", ".zarr.zip")


def open_image(source: Any, axes: str | None = None, level: int = 0) -> OpenedImage:
    """Open an image with all its axes, reading only what describes it.

    Parameters
    ----------
    source
        A path: TIFF (plain, ImageJ, OME), zarr and OME-Zarr (a folder, a zip, a place inside), .mp4, .avi,
        .mov, .mkv, NIfTI, NRRD, .npy, .png, .jpg, a folder of equal pictures. Or an array, lazy or not.
    axes
        A letter for each axis, of T, Z, C, Y, X, in the order in which they are stored; by default what the
        file says, and else YX, TYX, YXC or TYXC.
    level
        Of a pyramid: 0 is the finest.

    Returns
    -------
    OpenedImage
        Close it, or use it in a `with`. Its `array` is read by indexing.

    Raises
    ------
    StorageError
        The file is missing, empty, corrupt or of an unknown kind, or a package that reads it is missing.
    ImageError
        The file is sound, but its axes cannot be told, or `axes` or `level` does not fit it.
    """
    if not isinstance(source, str | Path):
        return _open_array(source, axes, level)
    path = Path(source).expanduser()
    name = path.name.lower()
    if (found := _store_of(path)) is not None:
        from napari_sam2.io.zarrs import open_zarr

        with reading(found):
            return open_zarr(found, "/".join(path.relative_to(found).parts), axes, level)
    if path.is_dir():
        return open_folder(path, axes, level)
    if not path.exists():
        raise StorageError(f"{path} does not exist: check the spelling, and that the disk is mounted.")
    with reading(path):
        if name.endswith(TIFF):
            return open_tiff(path, axes, level)
        if name.endswith((*PLAIN, *VIDEO, *NIFTI, *NRRD)):
            chosen_level(path.name, 1, level)
        if name.endswith(PICTURE):
            return open_picture(path, axes)
        if name.endswith(".npy"):
            return _open_npy(path, axes)
        if name.endswith(VIDEO):
            from napari_sam2.io.videos import open_video

            return open_video(path, axes)
        if name.endswith(NIFTI):
            from napari_sam2.io.nifti import open_nifti

            return open_nifti(path, axes)
        if name.endswith(NRRD):
            from napari_sam2.io.nrrds import open_nrrd

            return open_nrrd(path, axes)
    raise StorageError(
        f"{path.name} ends in {path.suffix or 'nothing'!r}, which is not known here: convert it to one of "
        f"{', '.join((*PLAIN, *VIDEO, *NIFTI, *NRRD, *ZARR))}, or give a folder of images."
    )


def _store_of(path: Path) -> Path | None:
    """Return the zarr store that a path leads to or into; None where there is none."""
    place = next((p for p in (path, *path.parents) if p.exists()), path)
    if place.is_file():
        return (
            place if place.name.lower().endswith(".zip") and (place != path or _is_zarr_zip(place)) else None
        )
    if not _is_node(place):
        return None
    while _is_node(place.parent):
        place = place.parent
    return place


def _is_zarr_zip(path: Path) -> bool:
    return path.name.lower().endswith(".zarr.zip")


def _is_node(folder: Path) -> bool:
    return folder.suffix.lower() == ".zarr" or any(
        (folder / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup")
    )


def _open_array(array: Any, axes: str | None, level: int) -> OpenedImage:
    array = array if hasattr(array, "shape") and hasattr(array, "dtype") else np.asarray(array)
    shape = tuple(int(n) for n in array.shape)
    chosen_level("array", 1, level)
    lazy = LazyArray("array", shape, array.dtype, lambda place: array[place])
    return OpenedImage(lazy, axes or guess_axes("array", shape), axes=axes)


def _open_npy(path: Path, axes: str | None) -> OpenedImage:
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    shape = mapped.shape
    if mapped.flags.c_contiguous and len(shape) >= 2:
        colour = len(shape) > 2 and shape[-1] in (3, 4)
        array = raw_planes(path, shape, mapped.dtype, mapped.offset, 3 if colour else 2)
    else:
        array = LazyArray(path.name, shape, mapped.dtype, lambda place: np.array(mapped[place]))
    return OpenedImage(array, axes or guess_axes(path.name, shape), axes=axes)
