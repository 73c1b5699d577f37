"""Folders of pictures that make one stack."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.damage import reading
from napari_sam2.io.lazy_array import LazyArray, by_planes
from napari_sam2.io.opened_image import OpenedImage, chosen_level
from napari_sam2.io.pictures import PICTURE, picture_layout, read_picture
from napari_sam2.io.tiffs import TIFF, open_tiff

# The end of a name that numbers slices: z0012, cells_z12, slice-12.
SLICE = re.compile(r"(^|[^a-z])(z|slice)[_-]?\d+$", re.I)


def open_picture(path: Path, axes: str | None = None) -> OpenedImage:
    """Open a PNG or JPEG; it is decoded when it is read."""
    shape, dtype = picture_layout(path)
    array = LazyArray(path.name, shape, dtype, by_planes((), lambda _: read_picture(path)))
    return OpenedImage(array, "YXS"[: len(shape)], axes=axes)


def open_folder(folder: Path, axes: str | None = None, level: int = 0) -> OpenedImage:
    """Open a folder of equal TIFF, PNG or JPEG images, in the order of the numbers in their names.

    Parameters
    ----------
    folder
        Hidden files and those of other kinds are passed over.
    axes, level
        As for `open_image`; the axis of the files comes first, Z where all names end like z0012, else T.

    Raises
    ------
    StorageError
        There is no image in the folder, or one is damaged.
    ImageError
        The images differ in size or dtype, or one is a stack.
    """
    known = (*TIFF, *PICTURE)
    visible = (file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())
    files = sorted((file for file in visible if file.suffix.lower() in known), key=_natural)
    if not files:
        raise StorageError(f"The folder {folder.name} holds no image: put {', '.join(known)} files there.")
    chosen_level(folder.name, 1, level)
    layouts = []
    for file in files:
        with _open_file(file) as image:
            if image.size("T") * image.size("Z") > 1:
                raise ImageError(
                    f"{file.name} in {folder.name} is a stack of {image.size('T') * image.size('Z')} frames: "
                    "open it by itself."
                )
            layouts.append((image.shape, image.dtype))
            inner, spacing = image.axes, image.spacing
        if layouts[-1] != layouts[0]:
            raise ImageError(
                f"{file.name} is {layouts[-1][0]} {layouts[-1][1]}, but {files[0].name} is {layouts[0][0]} "
                f"{layouts[0][1]}: all images of the folder {folder.name} need the same size and dtype."
            )
    shape, dtype = layouts[0]

    def read(i: int) -> npt.NDArray[Any]:
        with _open_file(files[i]) as image:
            if (image.shape, image.dtype) != layouts[0]:
                raise StorageError(
                    f"{files[i].name} has changed since {folder.name} was opened: open it again."
                )
            return np.asarray(image.array)

    array = LazyArray(folder.name, (len(files), *shape), dtype, by_planes((len(files),), read))
    along = "Z" if all(SLICE.search(file.stem) for file in files) else "T"
    stored = (along if along not in inner else "Q") + inner
    return OpenedImage(array, stored, axes=axes, spacing=spacing)


def _open_file(file: Path) -> OpenedImage:
    with reading(file):
        return open_tiff(file) if file.suffix.lower() in TIFF else open_picture(file)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which frame2 comes before frame10."""
    parts = re.findall(r"\d+|\D+", path.name.lower())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
