"""What OME-Zarr writes about an image: its axes, distances, channels and resolutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_sam2.errors import StorageError
from napari_sam2.io.opened_image import Spacing

# Before version 0.3 nothing names the axes: they are these.
OLDEST = "TCZYX"
KINDS = {"time": "T", "channel": "C"}


@dataclass(frozen=True, slots=True)
class Multiscale:
    """One image in several resolutions.

    Attributes
    ----------
    axes
        A letter for each axis; a foreign one is Q.
    paths
        Of the arrays inside the group, the finest first.
    spacing
        Of each level, by letter.
    channels
        Names, where all have one.
    """

    axes: str
    paths: tuple[str, ...]
    spacing: tuple[Mapping[str, Spacing], ...]
    channels: tuple[str, ...]


def read_multiscale(name: str, attributes: Mapping[str, Any]) -> Multiscale | None:
    """Return what the attributes of a group say (OME-Zarr 0.1 to 0.5); None where it is no image.

    Raises
    ------
    StorageError
        They begin as they should, and then make no sense.
    """
    ome = attributes.get("ome", attributes)
    if not (isinstance(ome, Mapping) and ome.get("multiscales")):
        return None
    try:
        scales = ome["multiscales"][0]
        axes = [_axis(axis) for axis in scales.get("axes", OLDEST)]
        letters = "".join(letter for letter, _ in axes)
        paths = tuple(str(one["path"]) for one in scales["datasets"])
        whole = _scale(scales, len(axes))
        steps = [
            [a * b for a, b in zip(_scale(one, len(axes)), whole, strict=True)] for one in scales["datasets"]
        ]
        # The scale of a channel means nothing, and a step of 1 without a unit is a place holder.
        told = [a for a, axis in enumerate(axes) if axis[0] != "C" and (axis[1] or steps[0][a] != 1)]
        spacing = tuple({axes[a][0]: Spacing(level[a], axes[a][1]) for a in told} for level in steps)
        named = [str(c.get("label", "")) for c in ome.get("omero", {}).get("channels", ())]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{name} begins like OME-Zarr, but its multiscales cannot be understood ({error!r}): write it "
            "again, or give the path of one array inside."
        ) from error
    return Multiscale(letters, paths, spacing, tuple(named) if all(named) else ())


def _axis(axis: Any) -> tuple[str, str | None]:
    if isinstance(axis, str):
        return _letter(axis), None
    return KINDS.get(axis.get("type", ""), _letter(axis["name"])), axis.get("unit")


def _letter(name: str) -> str:
    return name.upper() if name.upper() in set("TZCYX") else "Q"


def _scale(holder: Mapping[str, Any], count: int) -> list[float]:
    steps = [1.0] * count
    for transformation in holder.get("coordinateTransformations", ()):
        if transformation["type"] == "scale":
            steps = [a * float(b) for a, b in zip(steps, transformation["scale"], strict=True)]
    return steps
