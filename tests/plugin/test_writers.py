"""The labels of a session, saved by napari."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import StorageError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.plugin.writers import write_labels
from napari_sam2.session.session import Session
from tests.plugin.conftest import no_window

SCENE = moving_nuclei(3, 48, 56, objects=3, divisions=0, radius=6.0, seed=2)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What the labels layer of an open session holds."""
    why = no_window()
    if why:
        pytest.skip(why)
    from napari_sam2.plugin import attach

    with Session(SCENE.images) as session:
        session.prompt(1, 3, mask=SCENE.labels[1] == 2)
        labels = np.stack([session.labels(frame) for frame in range(3)])
        layer = SimpleNamespace(layer=SimpleNamespace(data=labels))
        sitting = SimpleNamespace(label_layer=layer, session=session)
        known = {1: SimpleNamespace(sitting=None), 2: SimpleNamespace(sitting=sitting)}
        monkeypatch.setattr(attach, "_bridges", known)
        yield labels


def test_the_session_is_saved(data: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.sam2.json"
    assert write_labels(str(path), data, {"name": "labels"}) == [str(path)]
    with Session.load(path, frames=SCENE.images) as session:
        assert np.array_equal(session.labels(1), data[1])
    assert write_labels(str(path), data, {"name": "labels"}) == [str(path)]


def test_other_endings_export(data: Any, tmp_path: Path) -> None:
    write_labels(str(tmp_path / "a.json"), data, {})
    assert len(json.loads((tmp_path / "a.json").read_text())["annotations"]) == 1
    write_labels(str(tmp_path / "a.tracks.csv"), data, {})
    assert len((tmp_path / "a.tracks.csv").read_text().splitlines()) == 2


def test_labels_of_somebody_else_are_not_written(data: Any, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="'mine' is not the result"):
        write_labels(str(tmp_path / "a.sam2.json"), data.copy(), {"name": "mine"})
    assert list(tmp_path.iterdir()) == []
