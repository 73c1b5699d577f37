"""What objects are: said once, kept in files and scripts, and told by exports."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.io.labels import read_provenance
from napari_sam2.model.sam2 import SAM2
from napari_sam2.session.session import Session


def band(session: Session, top: int) -> np.ndarray[Any, Any]:
    mask = np.zeros(session.shape, bool)
    mask[top : top + 10, 5:40] = True
    return mask


@pytest.fixture
def named(session: Session) -> Session:
    """Three objects, of which the second is hidden and the third has no class."""
    for number in (1, 2, 3):
        session.prompt(0, number, mask=band(session, 15 * number))
    session.classify(1, " mitotic ")
    session.classify(2, "apoptotic")
    return session


def classes(session: Session) -> dict[int, str]:
    return {number: row.label_class for number, row in session.objects.items()}


def test_a_class_is_said_changed_and_taken_away(named: Session) -> None:
    assert classes(named) == {1: "mitotic", 2: "apoptotic", 3: ""}
    named.commit(1)
    named.classify(1, "interphase")
    named.classify(2, "")
    assert classes(named) == {1: "interphase", 2: "", 3: ""}
    assert named.objects[1].committed
    named.undo()
    named.undo()
    named.undo()
    assert classes(named) == {1: "mitotic", 2: "apoptotic", 3: ""}
    named.redo()
    named.redo()
    assert classes(named) == {1: "interphase", 2: "apoptotic", 3: ""}
    with pytest.raises(PromptError, match="no object 9; known are: 1, 2, 3"):
        named.classify(9, "mitotic")


def test_nothing_else_changes_it(named: Session) -> None:
    told: list[Any] = []
    named.events.labels_changed.connect(lambda frame, region: told.append(frame))
    named.classify(1, "metaphase")
    assert told == [], "labels look as before"
    named.rename(1, "Anna")
    named.hide(1)
    named.hide(1, False)
    named.commit(1)
    named.reopen(1)
    named.relabel({1: 7})
    assert classes(named) == {7: "metaphase", 2: "apoptotic", 3: ""}


def test_who_gets_it_when_objects_come_from_others(named: Session) -> None:
    (part,) = named.split(0, 1, [(10, 20), (30, 20)])
    assert classes(named)[part] == "mitotic"
    named.merge(1, [2])
    named.divide(3, 1, [8, 9])
    assert classes(named) == {1: "mitotic", 3: "", part: "mitotic", 8: "", 9: ""}


def test_files_keep_it_and_those_of_before_have_none(
    named: Session, scene: Phantom, network: SAM2, tmp_path: Path
) -> None:
    path = named.save(tmp_path / "a.json")
    loaded = Session.load(path, frames=scene.images, model=network)
    assert classes(loaded) == classes(named)
    code = json.loads(path.read_text())
    for row in code["objects"]:
        del row["label_class"]
    code["steps"] = [step for step in code["steps"] if step["verb"] != "ClassifyObject"]
    path.write_text(json.dumps(code))
    older = Session.load(path, frames=scene.images, model=network)
    assert classes(older) == {1: "", 2: "", 3: ""}


def test_an_autosave_keeps_it(named: Session, scene: Phantom, network: SAM2, tmp_path: Path) -> None:
    named.autosave(tmp_path / "auto.json")
    named.classify(3, "mitotic")
    assert classes(Session.load(tmp_path / "auto.json", frames=scene.images, model=network))[3] == "mitotic"


def test_a_script_says_it(named: Session, scene: Phantom, network: SAM2) -> None:
    named.classify(3, 'it\'s "round"')
    names: dict[str, Any] = {"image": scene.images, "model": network}
    exec(compile(named.script(), "script", "exec"), names)
    assert classes(names["session"]) == classes(named)
    again = named.fresh()
    for step in named.steps:
        again.repeat(step)
    assert classes(again) == classes(named)


def test_exports_tell_it_of_what_is_shown(named: Session, tmp_path: Path) -> None:
    named.hide(2)
    named.export(tmp_path / "a.json")
    said = json.loads((tmp_path / "a.json").read_text())
    categories = {one["id"]: one["name"] for one in said["categories"]}
    assert list(categories.values()) == ["object", "mitotic"]
    got = {one["track_id"]: categories[one["category_id"]] for one in said["annotations"]}
    assert got == {1: "mitotic", 3: "object"}
    for name, key in (("tracks.csv", "track_id"), ("sizes.csv", "object_id")):
        named.export(tmp_path / name)
        with (tmp_path / name).open(newline="") as file:
            assert {row[key]: row["class"] for row in csv.DictReader(file)} == {"1": "mitotic", "3": ""}
    named.export(tmp_path / "a.tif")
    assert read_provenance(tmp_path / "a.tif")["classes"] == {"1": "mitotic"}
