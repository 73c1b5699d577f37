"""Results as an OME-Zarr label image (Moore et al. 2021), by itself or within an image."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import StorageError
from napari_sam2.imaging.overlay import color_of
from napari_sam2.io.ome_zarr_image import OmeZarrImage, attributes, image_around
from napari_sam2.io.output import whole_folder
from napari_sam2.io.results import Results

Array = npt.NDArray[Any]
Json = dict[str, Any]

CHUNK = 1024  # pixels
SMALLEST = 512  # a level that is no larger has none below


@dataclass(frozen=True, slots=True)
class Layout:
    """How a label image lies on disk.

    Attributes
    ----------
    version
        "0.4" or "0.5".
    names
        Of the axes: those of t, c, z, y, x that there are.
    along
        Which axis the frames follow.
    shapes
        Of each level, the finest first.
    multiscale
        The metadata of axes and levels.
    """

    version: str
    names: tuple[str, ...]
    along: str
    shapes: tuple[tuple[int, ...], ...]
    multiscale: Json


def write_ome_zarr(results: Results, path: Path, overwrite: bool = False, version: str | None = None) -> None:
    """Write a label image with its coarser levels, each of which takes every second pixel of the one before.

    Parameters
    ----------
    results
        Labels.
    path
        A folder ending in .zarr; or IMAGE.zarr/labels/NAME, which puts the labels into an image, with its
        axes and levels, and lists them there.
    overwrite
        Whether labels of that name may be replaced; an image never is.
    version
        "0.5" (zarr 3) or "0.4" (zarr 2); by default 0.5, or that of the image.

    Raises
    ------
    StorageError
        It cannot be written, the image is of another version, or does not have the size of the labels.
    """
    image = image_around(path)
    if image is None:
        layout = _alone(results, version or "0.5")
    elif version not in (None, image.version):
        raise StorageError(
            f"{image.path.name} is OME-Zarr {image.version}, and its labels have to be, too: choose ome-zarr "
            "as kind, which follows the image."
        )
    else:
        layout = _within(results, image)
    made = image is not None and image.make_labels()
    try:
        with whole_folder(path, overwrite, is_label_image) as folder:
            _write(results, layout, folder, path.name, image is not None)
    except BaseException:
        if made:
            shutil.rmtree(path.parent)
        raise
    if image is not None:
        image.list_labels(path.name)


def is_label_image(folder: Path) -> bool:
    """Whether a folder is an OME-Zarr label image."""
    return "image-label" in attributes(folder)


def _alone(results: Results, version: str) -> Layout:
    length, height, width = results.shape
    shapes = [results.shape]
    while max(height, width) > SMALLEST:
        height, width = max(1, height // 2), max(1, width // 2)
        shapes.append((length, height, width))
    along = results.frame_axis.lower()
    units = (results.frame_unit if along == "t" else results.unit, results.unit, results.unit)
    axes = [
        {"name": name, "type": "time" if name == "t" else "space"} | ({"unit": unit} if unit else {})
        for name, unit in zip((along, "y", "x"), units, strict=True)
    ]
    spacing = results.spacing or (1.0, 1.0, 1.0)
    levels = [
        {
            "path": str(i),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [
                        one * (whole / part)
                        for one, whole, part in zip(spacing, shapes[0], shape, strict=True)
                    ],
                }
            ],
        }
        for i, shape in enumerate(shapes)
    ]
    return Layout(version, (along, "y", "x"), along, tuple(shapes), {"axes": axes, "datasets": levels})


def _within(results: Results, image: OmeZarrImage) -> Layout:
    length = len(results)
    sizes = dict(zip(image.names, image.shapes[0], strict=True))
    preferred = results.frame_axis.lower()
    along = next(
        (name for name in (preferred, *"tz") if sizes.get(name) == length), preferred if length == 1 else ""
    )
    others = {name: size for name, size in sizes.items() if name not in (along, "c", "y", "x")}
    if (sizes["y"], sizes["x"]) != results.shape[1:] or not along or any(n > 1 for n in others.values()):
        raise StorageError(
            f"{image.path.name} has the size {sizes}, but the labels are {results.shape} along "
            f"{results.frame_axis}: only labels of the whole image go into it. Write them by themselves."
        )
    shapes = tuple(
        tuple(1 if name == "c" else n for name, n in zip(image.names, shape, strict=True))
        for shape in image.shapes
    )
    return Layout(image.version, image.names, along, shapes, image.multiscale)


def _write(results: Results, layout: Layout, folder: Path, name: str, inside: bool) -> None:
    import zarr

    third = layout.version == "0.5"
    root = zarr.create_group(folder, zarr_format=3 if third else 2)
    levels = []
    for shape, dataset in zip(layout.shapes, layout.multiscale["datasets"], strict=True):
        chunks = tuple(
            min(n, CHUNK) if axis in "yx" else 1 for axis, n in zip(layout.names, shape, strict=True)
        )
        more: Json = {"dimension_names": layout.names} if third else {}
        if not third:
            more["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
        levels.append(
            root.create_array(
                dataset["path"], shape=shape, chunks=chunks, dtype=results.dtype, fill_value=0, **more
            )
        )
    for frame in range(len(results)):
        labels = results.labels_on(frame)
        for level, shape in zip(levels, layout.shapes, strict=True):
            sizes = dict(zip(layout.names, shape, strict=True))
            kept = np.flatnonzero(_picks(len(results), sizes.get(layout.along, 1)) == frame)
            rows, columns = (
                _picks(whole, sizes[axis]) for axis, whole in zip("yx", labels.shape, strict=True)
            )
            for at in kept.tolist():
                place = {layout.along: at, "y": slice(None), "x": slice(None)}
                index: Any = tuple(place.get(axis, 0) for axis in layout.names)
                level[index] = labels[np.ix_(rows, columns)]
    root.update_attributes(_metadata(results, layout, name, inside))


def _picks(whole: int, part: int) -> npt.NDArray[np.int64]:
    """Return which of `whole` pixels a level of `part` has: those that its pixels' middles lie on."""
    picked: npt.NDArray[np.int64] = ((np.arange(part) + 0.5) * whole / part).astype(np.int64)
    return picked


def _metadata(results: Results, layout: Layout, name: str, inside: bool) -> Json:
    lineage = results.lineage
    label: Json = {}
    if results.objects:
        label["colors"] = [
            {"label-value": number, "rgba": [*(round(255 * c) for c in color_of(number)), 255]}
            for number in results.objects
        ]
        label["properties"] = [
            {"label-value": number, "name": called}
            | ({"parent": lineage[number]} if number in lineage else {})
            for number, called in results.objects.items()
        ]
    if inside:
        label["source"] = {"image": "../../"}
    multiscale = {"name": name.removesuffix(".zarr").removesuffix(".ome"), **layout.multiscale}
    multiscale |= {
        "type": "nearest",
        "metadata": {"method": "every pixel that the coarser one's middle lies on"},
    }
    # The format has no word for how an image was made; other keys are left alone.
    notes = {"napari-sam2": results.notes}
    if layout.version == "0.5":
        return {"ome": {"version": "0.5", "multiscales": [multiscale], "image-label": label}, **notes}
    versioned = {"version": "0.4"}
    return {"multiscales": [versioned | multiscale], "image-label": versioned | label, **notes}
