"""GEFF graphs, read back with the package that defines them."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import StorageError
from napari_sam2.io.geff_graph import write_geff
from napari_sam2.io.results import Results
from tests.io.result_scene import NOTES, scene


def read(path: Path) -> tuple[Any, Any]:
    geff = pytest.importorskip("geff", reason="needs geff")
    geff.validate_structure(path)
    graph, metadata = geff.read(path, backend="networkx")
    return graph, metadata


def test_places_and_links(tmp_path: Path) -> None:
    made = scene()
    write_geff(made.results(), tmp_path / "a.geff")
    graph, metadata = read(tmp_path / "a.geff")
    assert graph.is_directed()
    at = {node: (data["track_id"], data["t"]) for node, data in graph.nodes(data=True)}
    assert set(at.values()) == {(n, t) for t, masks in enumerate(made.masks) for n in masks}
    for data in (data for _, data in graph.nodes(data=True)):
        mask = made.masks[data["t"]][data["track_id"]]
        assert np.allclose((data["y"], data["x"]), np.argwhere(mask).mean(0))
        assert data["area"] == mask.sum()
        assert data["confidence"] == made.confidence[data["t"]][data["track_id"]]
    links = {(at[a], at[b]) for a, b in graph.edges}
    lives = {1: range(2), 2: range(3, 6), 3: range(3, 6)}
    along = {((n, t), (n, t + 1)) for n, life in lives.items() for t in life}
    gaps = {((7, 0), (7, 1)), ((7, 1), (7, 4)), ((7, 4), (7, 6))}
    assert links == along | gaps | {((1, 2), (2, 3)), ((1, 2), (3, 3))}
    assert [(axis.name, axis.scale, axis.scaled_unit) for axis in metadata.axes] == [
        ("t", 30.0, "second"),
        ("y", 0.5, "micrometer"),
        ("x", 0.25, "micrometer"),
    ]
    assert metadata.track_node_props == {"tracklet": "track_id"}
    said = metadata.extra["napari-sam2"]
    assert {key: said[key] for key in NOTES} == NOTES
    assert os.listdir(tmp_path) == ["a.geff"]


def test_tracks_are_tracklets_by_the_package_s_own_check(tmp_path: Path) -> None:
    tracks = pytest.importorskip("geff.validate.tracks", reason="needs geff")
    write_geff(scene().results(), tmp_path / "a.geff")
    graph, _ = read(tmp_path / "a.geff")
    nodes = np.array(list(graph.nodes))
    numbers = np.array([graph.nodes[node]["track_id"] for node in nodes])
    assert tracks.validate_tracklets(nodes, np.array(list(graph.edges)), numbers)[0]


def test_a_mother_with_one_daughter_is_no_tracklet_of_her_own(tmp_path: Path) -> None:
    labels = np.array([[[1, 0]], [[0, 2]]])
    write_geff(Results.of_labels(labels, parents={2: 1}), tmp_path / "a.geff")
    graph, metadata = read(tmp_path / "a.geff")
    assert list(graph.edges) == [(0, 1)]
    assert metadata.track_node_props is None


def test_through_depth_there_are_places_without_links(tmp_path: Path) -> None:
    write_geff(scene().results(frame_axis="Z"), tmp_path / "a.geff")
    graph, metadata = read(tmp_path / "a.geff")
    assert (len(graph.nodes), len(graph.edges)) == (4, 0)
    assert [(axis.name, axis.scale) for axis in metadata.axes] == [
        ("t", None),
        ("z", 30.0),
        ("y", 0.5),
        ("x", 0.25),
    ]


def test_nothing_found(tmp_path: Path) -> None:
    write_geff(Results.of_labels(np.zeros((2, 4, 4), int)), tmp_path / "a.geff")
    graph, _ = read(tmp_path / "a.geff")
    assert len(graph.nodes) == 0


def test_confidence_that_is_known_of_some(tmp_path: Path) -> None:
    some = scene().results(confidence=lambda t: {7: 0.5})
    write_geff(some, tmp_path / "a.geff")
    graph, _ = read(tmp_path / "a.geff")
    assert {(data["track_id"] == 7, data.get("confidence")) for _, data in graph.nodes(data=True)} == {
        (True, 0.5),
        (False, None),
    }


def test_a_mother_that_outlives_her_daughter(tmp_path: Path) -> None:
    labels = np.array([[[1, 0]], [[1, 2]]])
    with pytest.raises(StorageError, match="has to end before"):
        write_geff(Results.of_labels(labels, parents={2: 1}), tmp_path / "a.geff")
    assert os.listdir(tmp_path) == []


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "geff", None)
    with pytest.raises(StorageError, match=r"pip install 'napari-sam2\[geff\]'"):
        write_geff(scene().results(), tmp_path / "a.geff")


def test_only_a_graph_is_replaced(tmp_path: Path) -> None:
    write_geff(scene().results(), tmp_path / "a.geff")
    write_geff(scene().results(frame_axis="Z"), tmp_path / "a.geff", overwrite=True)
    assert len(read(tmp_path / "a.geff")[0].nodes) == 4
    (tmp_path / "a.geff" / "notes.doc").write_text("mine")
    with pytest.raises(StorageError, match="other things"):
        write_geff(scene().results(), tmp_path / "a.geff", overwrite=True)
