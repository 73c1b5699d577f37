"""Session files (*.sam2.json) opened by napari: the image, its labels, and where the session goes on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2.errors import ImageError
from napari_sam2.plugin.reopening import SESSION

if TYPE_CHECKING:
    from napari_sam2.io.opened_image import OpenedImage
    from napari_sam2.session.saved_session import SavedSession

LayerData = tuple[Any, dict[str, Any], str]
ENDING = ".sam2.json"


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return a reader of session files; None for anything else.

    Parameters
    ----------
    path
        What is to be opened.
    """
    paths = [path] if isinstance(path, str) else path
    return read_sessions if paths and all(str(one).lower().endswith(ENDING) for one in paths) else None


def read_sessions(path: str | list[str]) -> list[LayerData]:
    """Read session files.

    Parameters
    ----------
    path
        One or several.

    Returns
    -------
    list of layer data tuples
        Of each session an image layer and a labels layer. Their metadata say which file they came from, so
        that the SAM 2 window goes on with the session. Where the image is not to be had, the labels alone,
        with a warning.

    Raises
    ------
    StorageError
        A file is missing or damaged.
    ImageError
        The image has other axes than it had.
    """
    paths = [path] if isinstance(path, str) else path
    return [layer for one in paths for layer in _read(Path(one))]


def _read(file: Path) -> list[LayerData]:
    import numpy as np

    from napari_sam2.session.autosave import catch_up
    from napari_sam2.session.labels import flatten
    from napari_sam2.session.saved_session import SavedSession

    saved = SavedSession.read(file)
    catch_up(saved, file)
    count, height, width = saved.image.shape[:3]
    labels = np.stack([flatten(saved.document, frame, (height, width)) for frame in range(count)])
    name, known = file.name[: -len(ENDING)], {"metadata": {SESSION: str(file.absolute())}}
    truth: dict[str, Any] = {"name": f"{name}: saved objects", "opacity": 0.5, **known}
    path = saved.image.path
    if path is None or not path.exists():
        gone = "was never a file" if path is None else f"is not at {path} any more"
        warnings.warn(
            f"The image of {file.name} {gone}: only its labels are opened. Open the image yourself, then "
            "this file with Open in the SAM 2 window.",
            UserWarning,
            stacklevel=2,
        )
        return [(labels, truth, "labels")]
    return _with_image(_opened(path, saved.axes), saved, labels, name, truth, known)


def _opened(path: Path, axes: str | None) -> OpenedImage:
    """Open an image with the axes that it had in the session; with its own where those do not fit."""
    from napari_sam2.io.images import open_image

    if axes is not None:
        with suppress(ImageError):
            return open_image(path, axes)
    return open_image(path)


def _with_image(
    image: OpenedImage,
    saved: SavedSession,
    labels: Any,
    name: str,
    truth: dict[str, Any],
    known: dict[str, Any],
) -> list[LayerData]:
    """Return image and labels so that they lie on each other."""
    import numpy as np

    from napari_sam2.plugin.arranging import arranged
    from napari_sam2.plugin.layer_axes import LayerAxes

    letters = saved.axes if saved.axes is not None else image.axes
    pixels = arranged(image.array, image.axes, letters)
    shape = tuple(int(n) for n in pixels.shape)
    rgb = letters.endswith("C") and shape[-1] in (3, 4)
    along = next((one for one in "TZ" if one in letters and one not in saved.at), None)
    where = [saved.at.get(letter, 0) for letter in letters]
    axes = LayerAxes.of(letters, shape, along, rgb, where)
    shown = letters[: axes.ndim]
    scale = np.array([image.spacing[one].step if one in image.spacing else 1.0 for one in shown])
    place: dict[str, Any] = {"scale": scale, "axis_labels": [letter.lower() for letter in shown]}
    return [
        (pixels, {"name": name, "rgb": rgb, **place, **known}, "image"),
        (axes.spread(labels), {**truth, **place, "translate": axes.origin * scale}, "labels"),
    ]
