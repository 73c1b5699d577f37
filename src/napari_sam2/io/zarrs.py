"""Zarr and OME-Zarr stores on disk."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zarr
import zarr.storage

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.axes import guess_axes
from napari_sam2.io.damage import unreadable
from napari_sam2.io.multiscale import Multiscale, read_multiscale
from napari_sam2.io.opened_image import OpenedImage, chosen_level
from napari_sam2.io.zarr_pixels import zarr_pixels

Node = zarr.Array[Any] | zarr.Group


def open_zarr(path: Path, inside: str = "", axes: str | None = None, level: int = 0) -> OpenedImage:
    """Open an array or a multiscale image of a zarr store, version 2 or 3.

    Parameters
    ----------
    path
        A folder, or a zip of one.
    inside
        Where to look in the store; "" for its root. A group needs one image or one array in it.
    axes, level
        As for `open_image`.

    Raises
    ------
    StorageError
        Nothing is there, or it is damaged.
    ImageError
        There is more than one image to choose from, or the axes cannot be told.
    """
    if path.is_file() and not zipfile.is_zipfile(path):
        raise unreadable(path, ValueError("it is no zip file"))
    kind = zarr.storage.ZipStore if path.is_file() else zarr.storage.LocalStore
    store: Any = kind(path, read_only=True)
    close: Callable[[], None] = store.close
    try:
        return _open(path, store, inside, axes, level, close)
    except BaseException:
        close()
        raise


def _open(
    path: Path, store: Any, inside: str, axes: str | None, level: int, close: Callable[[], None]
) -> OpenedImage:
    place, node = inside, _node(path, store, inside)
    while isinstance(node, zarr.Group):
        found = read_multiscale(path.name, dict(node.attrs))
        if found is not None:
            return _multiscale(path, store, place, found, axes, level, close)
        name = _only_child(path, place, node)
        place = f"{place}/{name}".lstrip("/")
        node = _node(path, store, place)
    if place:
        parent, _, name = place.rpartition("/")
        # An array that is a level of an image has its axes and distances written in the group around it.
        group = _find(path, store, parent)
        found = None if group is None else read_multiscale(path.name, dict(group.attrs))
        if found is not None and name in found.paths and level == 0:
            return _multiscale(path, store, parent, found, axes, found.paths.index(name), close)
    chosen_level(path.name, 1, level)
    named = _dimension_names(node)
    stored = named or axes or guess_axes(path.name, node.shape)
    return OpenedImage(zarr_pixels(path, place, node, close), stored, axes=axes)


def _node(path: Path, store: Any, inside: str) -> Node:
    node = _find(path, store, inside)
    if node is None and inside:
        raise StorageError(f"{path.name} holds nothing at {inside!r}: check the spelling.")
    if node is None:
        raise StorageError(
            f"{path.name} is no zarr store: zarr.json, .zarray or .zgroup is missing in it. It is empty, or "
            "its copy was cut short: copy or export it again."
        )
    return node


def _find(path: Path, store: Any, inside: str) -> Node | None:
    try:
        with warnings.catch_warnings():
            # Extensions that zarr warns of (names, consolidated metadata) concern writers.
            warnings.filterwarnings("ignore", module="zarr")
            return zarr.open(store, mode="r", path=inside)
    except FileNotFoundError:
        return None
    except Exception as error:  # unknown data types and codecs, broken json: zarr raises what it likes
        raise unreadable(path, error, f" at {inside!r}" if inside else "") from error


def _only_child(path: Path, place: str, group: zarr.Group) -> str:
    names = sorted(name for name, _ in group.members() if name not in ("OME", "labels"))
    where = f"{path.name}{'/' if place else ''}{place}"
    if not names:
        raise StorageError(
            f"{where} is an empty zarr group: nothing was written to it, or its copy was cut short."
        )
    if len(names) > 1:
        raise ImageError(
            f"{where} holds {len(names)} images or groups of them: give the path of one, such as "
            f"{where}/{names[0]}; there are {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}."
        )
    return names[0]


def _multiscale(
    path: Path,
    store: Any,
    place: str,
    found: Multiscale,
    axes: str | None,
    level: int,
    close: Callable[[], None],
) -> OpenedImage:
    nodes = (_node(path, store, f"{place}/{name}".lstrip("/")) for name in found.paths)
    arrays = [node for node in nodes if isinstance(node, zarr.Array)]
    if len(arrays) < len(found.paths):
        raise StorageError(f"{path.name} names a level that is no array: it is damaged. Export it again.")
    level = chosen_level(path.name, len(arrays), level)
    array = arrays[level]
    if len(found.axes) != len(array.shape):
        raise StorageError(
            f"{path.name} names the axes {found.axes}, but the array {found.paths[level]} has the shape "
            f"{array.shape}: write it again, or give the path of an array and axes."
        )
    inside = f"{place}/{found.paths[level]}".lstrip("/")
    return OpenedImage(
        zarr_pixels(path, inside, array, close),
        found.axes,
        axes=axes,
        spacing=found.spacing[level],
        channels=found.channels,
        levels=[one.shape for one in arrays],
        level=level,
    )


def _dimension_names(array: zarr.Array[Any]) -> str | None:
    """Return the letters that version 3, or xarray in version 2, writes; None unless each axis has one."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, list | tuple) or len(names) != len(array.shape):
        return None
    words = {"time": "T", "depth": "Z", "channel": "C", "c": "C", "row": "Y", "col": "X", "column": "X"}
    letters = [words.get(str(name).lower(), str(name).upper()) for name in names]
    return "".join(letters) if all(letter in set("TZCYXS") for letter in letters) else None
