"""TIFF files of any number of axes: plain, ImageJ, OME, pyramids."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.damage import complaints, unreadable
from napari_sam2.io.lazy_array import LazyArray, by_planes
from napari_sam2.io.opened_image import OpenedImage, chosen_level
from napari_sam2.io.raw_planes import raw_planes
from napari_sam2.io.tiff_metadata import tiff_channels, tiff_spacing

Array = npt.NDArray[Any]

TIFF = (".tif", ".tiff")


def open_tiff(path: Path, axes: str | None = None, level: int = 0) -> OpenedImage:
    """Open a TIFF file; pages are decoded when they are read, one at a time.

    Parameters
    ----------
    path
        Plain, ImageJ or OME TIFF, tiled or not, compressed or not, one file or a set that OME describes.
    axes, level
        As for `open_image`.

    Raises
    ------
    StorageError
        The file is damaged, or is cut short and says so.
    ImageError
        It holds images of different layout, or its axes are not those of an image.
    """
    with complaints() as said:
        tiff = tifffile.TiffFile(path)
        try:
            image = _image(path, tiff, axes, level)
        except BaseException:
            tiff.close()
            raise
    broken = [line for line in said if "invalid" in line and ("offset" in line or "corrupted" in line)]
    if broken:
        image.close()
        raise unreadable(path, ValueError(broken[0].split("> ")[-1]))
    return image


def _image(path: Path, tiff: tifffile.TiffFile, axes: str | None, level: int) -> OpenedImage:
    every = [series for series in tiff.series if not series.keyframe.is_reduced]
    if not every:
        raise StorageError(f"{path.name} holds no image: it is damaged or unfinished. Export it again.")
    if len(every) > 1:
        sizes = ", ".join(str(series.shape) for series in every[:4])
        raise ImageError(
            f"{path.name} holds {len(every)} images of different layout ({sizes}): "
            "save the one you want as its own file."
        )
    levels = every[0].levels
    series = levels[chosen_level(path.name, len(levels), level)]
    spacing = tiff_spacing(tiff)
    if level:
        finest = dict(zip(every[0].axes, every[0].shape, strict=True))
        now = dict(zip(series.axes, series.shape, strict=True))
        spacing = {k: v.scaled(finest.get(k, 1) / now.get(k, 1)) for k, v in spacing.items()}
    return OpenedImage(
        _array(path, tiff, series),
        series.axes,
        axes=axes,
        spacing=spacing,
        channels=tiff_channels(tiff),
        levels=[one.shape for one in levels],
        level=level,
    )


def _array(path: Path, tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> LazyArray:
    shape = tuple(int(n) for n in series.shape)
    page_axes = _page_axes(series)
    if series.dataoffset is not None:
        dtype = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
        tiff.close()
        return raw_planes(path, shape, dtype, series.dataoffset, page_axes)
    pages = series.pages
    outer = shape[: len(shape) - page_axes]
    if len(pages) != int(np.prod(outer)):
        raise StorageError(
            f"{path.name} has {len(pages)} page(s), but {series.axes} {shape} needs {int(np.prod(outer))}: "
            "it is unfinished. Export it again."
        )
    # Where a page is a volume (volumetric tiles), it is read once for each of its slices.
    kept: OrderedDict[int, Array] = OrderedDict()

    def read(i: int) -> Array:
        if i in kept:
            return kept[i]
        try:
            with complaints():
                page = pages[i]
                if page is None:
                    raise ValueError("the page is missing")
                pixels = np.asarray(page.asarray()).reshape(shape[len(outer) :])
        except Exception as error:  # decoders raise what they like: zlib.error, struct.error, TiffFileError
            raise unreadable(
                path, error, f" at {_where(series.axes, outer, i)}, page {i} of {len(pages)}"
            ) from error
        if page_axes > 2 + ("S" in series.axes):
            kept.clear()
            kept[i] = pixels
        return pixels

    return LazyArray(path.name, shape, series.dtype, by_planes(outer, read), tiff.close)


def _page_axes(series: tifffile.TiffPageSeries) -> int:
    """Return how many of the last axes make up one page."""
    pixels, product, count = int(np.prod(series.keyframe.shape)), 1, 0
    for n in reversed(series.shape):
        if product >= pixels and count >= 2:
            break
        product *= n
        count += 1
    return count


def _where(axes: str, outer: tuple[int, ...], page: int) -> str:
    if len(outer) < 2:
        return f"frame {page}"
    places = np.unravel_index(page, outer)
    return ", ".join(f"{letter} = {place}" for letter, place in zip(axes, places, strict=False))
