"""Results as a GEFF graph: a node for each object and time, edges to the next time and to daughters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import StorageError
from napari_sam2.io.output import whole_folder
from napari_sam2.io.regions import Spot, spots
from napari_sam2.io.results import Results, overlapping_lives


def write_geff(results: Results, path: Path, overwrite: bool = False) -> None:
    """Write a graph with the package geff.

    Parameters
    ----------
    results
        Through time, edges lead from each place of an object to its next, also over frames on which it was
        not seen, and from a mother's last place to her daughters' first. Through depth there are no edges.
    path, overwrite
        A folder ending in .geff.

    Notes
    -----
    Nodes have t, (z,) y, x in frames and pixels, with the spacing as scale; track_id, which is the id of the
    object; area (through depth: volume) in pixels and, where it is known, confidence. Provenance is in
    ``extra``.

    Raises
    ------
    StorageError
        The package is missing, or the folder cannot be written.
    """
    try:
        from geff import GeffMetadata
        from geff.core_io import write_arrays
    except ImportError as error:
        raise StorageError("Writing GEFF needs one more package: pip install 'napari-sam2[geff]'.") from error
    found = spots(results)
    edges = _edges(results, found)
    deep = results.frame_axis == "Z"
    columns: dict[str, Any] = {
        "t": np.array([spot.t for spot in found], np.int64),
        "y": np.array([spot.y for spot in found], np.float64),
        "x": np.array([spot.x for spot in found], np.float64),
        "track_id": np.array([spot.object_id for spot in found], np.int64),
        "volume" if deep else "area": np.array([spot.size for spot in found], np.int64),
    }
    if deep:
        columns["z"] = np.array([spot.z for spot in found], np.float64)
    nodes: dict[str, Any] = {name: {"values": values, "missing": None} for name, values in columns.items()}
    trusted = [spot.confidence for spot in found]
    if any(value is not None for value in trusted):
        nodes["confidence"] = {
            "values": np.array([0.0 if value is None else value for value in trusted]),
            "missing": np.array([value is None for value in trusted]),
        }
    # A mother and her only daughter are one unbranched line, which the format calls one tracklet.
    alone = any(count == 1 for count in Counter(_mothers(results, found).values()).values())
    metadata = GeffMetadata(
        directed=True,
        axes=_axes(results, "tzyx" if deep else "tyx"),
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props=None if alone else {"tracklet": "track_id"},
        extra={"napari-sam2": results.notes},
    )
    with whole_folder(path, overwrite, is_geff) as folder:
        folder.rmdir()  # the package takes any folder that is there for a graph
        write_arrays(folder, np.arange(len(found), dtype=np.uint64), nodes, edges, {}, metadata)


def is_geff(folder: Path) -> bool:
    """Whether there is nothing in a folder but a graph."""
    names = {entry.name for entry in folder.iterdir()}
    return names <= {"nodes", "edges", ".zgroup", ".zattrs", ".zmetadata", "zarr.json"} and "nodes" in names


def _mothers(results: Results, found: list[Spot]) -> dict[int, int]:
    seen = {spot.object_id for spot in found}
    return {child: mother for child, mother in results.lineage.items() if child in seen and mother in seen}


def _edges(results: Results, found: list[Spot]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    edges = []
    for node, spot in enumerate(found):
        if spot.object_id in last:
            edges.append((last[spot.object_id], node))
        first.setdefault(spot.object_id, node)
        last[spot.object_id] = node
    for child, mother in _mothers(results, found).items():
        begin, end = found[first[child]].t, found[last[mother]].t
        if end >= begin:
            raise overlapping_lives(child, begin, mother, end)
        edges.append((last[mother], first[child]))
    return np.array(sorted(edges), np.uint64).reshape(-1, 2)


def _axes(results: Results, names: str) -> list[dict[str, Any]]:
    axes = []
    spacing = results.spacing
    for name in names:
        time = name == "t"
        axis: dict[str, Any] = {"name": name, "type": "time" if time else "space"}
        axis["unit"] = "frame" if time else "pixel"
        along = name == results.frame_axis.lower()
        if spacing is not None and (along or not time):
            axis["scale"] = spacing[0 if along else "yx".index(name) + 1]
            unit = results.frame_unit if time else results.unit
            axis |= {"scaled_unit": unit} if unit else {}
        axes.append(axis)
    return axes
