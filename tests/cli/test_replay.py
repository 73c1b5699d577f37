import copy
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.io.labels import read_provenance
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.session import Session
from tests.conftest import seed_weights


def _run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["replay", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def saved(stack: Path, tmp_path: Path, small_model: SAM2, monkeypatch: pytest.MonkeyPatch) -> Path:
    lively = copy.deepcopy(small_model)
    seed_weights(lively, 8)
    monkeypatch.setattr("napari_sam2.io.checkpoints.load_model", lambda *_, **__: lively)
    session = Session.open(stack)
    session.prompt(1, 1, clicks=[Click(20, 20)])
    session.prompt(3, 2, mask=np.pad(np.ones((10, 12), bool), ((30, 24), (40, 20))))
    run = session.propagate()
    next(run)
    session.prompt(1, 3, clicks=[Click(50, 20)])
    session.undo()
    list(session.resume())
    list(session.propagate(direction="backward"))
    session.divide(4, 1, [4, 5])
    session.prompt(5, 4, clicks=[Click(10, 60)])
    session.commit(2)
    session.export(tmp_path / "session.tif")
    session.save(tmp_path / "session.json")
    return tmp_path / "session.json"


def test_labels_are_those_of_the_session(saved: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    code, out, err = _run(saved, "-o", output)
    assert (code, out) == (0, f"{output}: 4 objects, 6 frames\n"), err
    wanted = tifffile.imread(tmp_path / "session.tif")
    assert set(np.unique(wanted)) >= {0, 1, 2}
    assert np.array_equal(tifffile.imread(output), wanted)
    notes = read_provenance(output)
    assert notes["command"] == "replay"
    assert notes["model"] == "nano"


def test_masks_in_the_file_are_not_used(saved: Path, tmp_path: Path) -> None:
    import json

    code = json.loads(saved.read_text())
    code["masks"] = []
    saved.write_text(json.dumps(code))
    assert _run(saved, "-o", tmp_path / "labels.npy")[0] == 0
    assert np.array_equal(np.load(tmp_path / "labels.npy"), tifffile.imread(tmp_path / "session.tif"))


def test_an_image_that_moved(saved: Path, stack: Path, tmp_path: Path) -> None:
    moved = stack.rename(tmp_path / "moved.tif")
    code, _, err = _run(saved, "-o", tmp_path / "labels.tif")
    assert code == 1
    assert "is not there" in err
    assert _run(saved, "-o", tmp_path / "labels.tif", "--image", moved)[0] == 0
    tifffile.imwrite(moved, tifffile.imread(moved)[::-1], photometric="minisblack")
    code, _, err = _run(saved, "-o", tmp_path / "labels.tif", "--image", moved, "--overwrite")
    assert code == 1
    assert "made with another image" in err


def test_an_output_in_the_way_is_told_before_the_work(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "repeat", lambda *_: pytest.fail("work began"))
    code, _, err = _run(saved, "-o", tmp_path / "session.tif")
    assert code == 1
    assert "exists already" in err


def test_not_a_session(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    code, _, err = _run(tmp_path / "a.json", "-o", tmp_path / "labels.tif")
    assert code == 1
    assert "is no session file" in err


def test_other_kinds(saved: Path, tmp_path: Path) -> None:
    code, out, err = _run(saved, "-o", tmp_path / "result", "--kind", "ctc")
    assert (code, out) == (0, f"{tmp_path / 'result'}: 4 objects, 6 frames\n"), err
    masks = np.stack([tifffile.imread(path) for path in sorted((tmp_path / "result").glob("*.tif"))])
    assert np.array_equal(masks > 0, tifffile.imread(tmp_path / "session.tif") > 0)
    assert (tmp_path / "result" / "res_track.txt").read_text()
    assert read_provenance(tmp_path / "result" / "mask000.tif")["command"] == "replay"


def test_a_kind_that_does_not_fit_is_told_before_the_work(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "repeat", lambda *_: pytest.fail("work began"))
    code, _, err = _run(saved, "-o", tmp_path / "labels.tif", "--kind", "coco")
    assert code == 1
    assert "ends in .json" in err
    assert _run(saved, "-o", tmp_path / "labels", "--kind", "avi")[0] == 2
