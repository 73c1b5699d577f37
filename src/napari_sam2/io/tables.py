"""Results as tables: tracks as napari has them, and measurements."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.io.output import check_file, whole_file
from napari_sam2.io.regions import regions, spots
from napari_sam2.io.results import Results

PROVENANCE = ".provenance.json"


def check_table(path: Path, overwrite: bool) -> None:
    """Raise StorageError where a table, or the file beside that says how it was made, cannot be written."""
    check_file(path, overwrite)
    check_file(path.with_name(path.name + PROVENANCE), overwrite)


def write_tracks(results: Results, path: Path, overwrite: bool = False) -> None:
    """Write the vertices of all tracks: track_id, t, (z,) y, x as napari's Tracks layer takes them, and more.

    Parameters
    ----------
    results
        Through time every object has a row for each frame that it is on; through depth it has one row, at
        time 0.
    path, overwrite
        A .csv file. A file beside it, ending in .csv.provenance.json, says how it was made.

    Notes
    -----
    The column ``parent`` holds the mother's track_id in every row of a daughter, which gives napari's
    `graph`: ``{daughter: [mother]}``. Places are in pixels; distances are in the file beside.
    """
    deep = results.frame_axis == "Z"
    places = ["track_id", "t", *(["z"] if deep else []), "y", "x"]
    found = spots(results)
    seen = {spot.object_id for spot in found}
    mothers = {child: mother for child, mother in results.lineage.items() if mother in seen}

    def rows() -> Iterator[list[Any]]:
        for spot in found:
            place = [spot.t, *([spot.z] if deep else []), spot.y, spot.x]
            known = [mothers.get(spot.object_id), spot.size, spot.confidence]
            named = [results.objects[spot.object_id], results.class_of(spot.object_id)]
            yield [spot.object_id, *place, *known, *named]

    size = "volume" if deep else "area"
    _write(results, path, overwrite, [*places, "parent", size, "confidence", "name", "class"], rows())


def write_measurements(results: Results, path: Path, overwrite: bool = False) -> None:
    """Write a row for every object and frame: area, place, extent, intensities, confidence.

    Parameters
    ----------
    results
        Masks are measured in full, also where they overlap.
    path, overwrite
        A .csv file. A file beside it, ending in .csv.provenance.json, says how it was made.

    Notes
    -----
    Area and places are in pixels; ``area_scaled`` is in squares of the unit, where the spacing is known. A
    box ends before its y1 and x1. Images of several channels have a column for each, numbered from 0.
    """
    channels: list[str] = []
    if results.image is not None:
        first = np.asarray(results.image(0))
        channels = [""] if first.ndim == 2 else [f"_{c}" for c in range(first.shape[2])]
    scaled = results.spacing is not None
    pixel = results.spacing[1] * results.spacing[2] if results.spacing is not None else 1.0

    def rows() -> Iterator[list[Any]]:
        for one in regions(results):
            area = [one.area, *([one.area * pixel] if scaled else [])]
            known = [*one.mean, *one.largest, one.confidence]
            yield [
                one.object_id,
                results.objects[one.object_id],
                results.class_of(one.object_id),
                one.frame,
                *area,
                one.y,
                one.x,
                *one.box,
                *known,
            ]

    head = ["object_id", "name", "class", "frame", "area", *(["area_scaled"] if scaled else []), "y", "x"]
    head += ["y0", "x0", "y1", "x1", *(f"mean_intensity{c}" for c in channels)]
    head += [*(f"max_intensity{c}" for c in channels), "confidence"]
    _write(results, path, overwrite, head, rows())


def _write(results: Results, path: Path, overwrite: bool, head: list[str], rows: Iterable[list[Any]]) -> None:
    notes = path.with_name(path.name + PROVENANCE)
    spacing = None if results.spacing is None else list(results.spacing)
    scale = {"spacing": spacing, "unit": results.unit, "frame_unit": results.frame_unit}
    with whole_file(notes, overwrite) as beside, whole_file(path, overwrite) as partial:
        beside.write_text(json.dumps({**scale, "provenance": results.notes}, indent=1), encoding="utf-8")
        with partial.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(head)
            table.writerows(rows)
