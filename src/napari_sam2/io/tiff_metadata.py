"""What ImageJ and OME write into a TIFF about distances and channels."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from xml.etree import ElementTree

import tifffile

from napari_sam2.io.opened_image import Spacing

NO_UNIT = ("", "pixel", "pixels")  # in the words of ImageJ


def tiff_spacing(tiff: tifffile.TiffFile) -> dict[str, Spacing]:
    """Return the distances between neighbours along T, Z, Y and X, as far as they are written."""
    if tiff.is_ome:
        return _ome_spacing(_ome_pixels(tiff))
    if tiff.is_imagej:
        return _imagej_spacing(tiff)
    return {}


def tiff_channels(tiff: tifffile.TiffFile) -> tuple[str, ...]:
    """Return the names of the channels; none where one is missing."""
    pixels = _ome_pixels(tiff) if tiff.is_ome else None
    names = [] if pixels is None else [c.get("Name", "") for c in pixels.iterfind("{*}Channel")]
    return tuple(names) if all(names) else ()


def _ome_pixels(tiff: tifffile.TiffFile) -> ElementTree.Element | None:
    with suppress(ElementTree.ParseError):
        return ElementTree.fromstring(tiff.ome_metadata or "").find("{*}Image/{*}Pixels")
    return None


def _ome_spacing(pixels: ElementTree.Element | None) -> dict[str, Spacing]:
    found = {}
    for letter, word, unit in (
        ("X", "PhysicalSizeX", "µm"),
        ("Y", "PhysicalSizeY", "µm"),
        ("Z", "PhysicalSizeZ", "µm"),
        ("T", "TimeIncrement", "s"),
    ):
        step = None if pixels is None else pixels.get(word)
        if pixels is not None and step is not None:
            with suppress(ValueError):
                found[letter] = Spacing(float(step), pixels.get(word + "Unit", unit))
    return found


def _imagej_spacing(tiff: tifffile.TiffFile) -> dict[str, Spacing]:
    written: Mapping[str, object] = tiff.imagej_metadata or {}
    found = {}
    unit = str(written.get("unit", ""))
    if unit not in NO_UNIT:
        for letter, tag in (("X", "XResolution"), ("Y", "YResolution")):
            value = tiff.pages.first.tags.valueof(tag)
            with suppress(TypeError, ValueError, ZeroDivisionError):
                found[letter] = Spacing(value[1] / value[0], unit)
        with suppress(TypeError, ValueError):
            # ImageJ writes a negative distance for a stack that was taken downwards.
            found["Z"] = Spacing(abs(float(str(written.get("spacing")))), unit)
    with suppress(TypeError, ValueError):
        found["T"] = Spacing(float(str(written.get("finterval"))), str(written.get("tunit", "s")))
    return found
