"""The command: what it says, what it leaves behind, and sessions applied to many files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.batch.plan import Birth, Way
from napari_sam2.batch.work import networks
from napari_sam2.cli.app import app
from napari_sam2.errors import StorageError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io.checkpoints import save_model
from napari_sam2.io.labels import read_provenance
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.session import Session
from napari_sam2.session_prompts import template_of


@pytest.fixture(autouse=True)
def loaded_anew() -> None:
    networks.forget()


@pytest.fixture
def movies(tmp_path: Path) -> Path:
    for number in range(3):
        images = moving_nuclei(frames=4, height=64, width=72, objects=2, divisions=0, seed=number).images
        path = tmp_path / f"movie{number}.tif"
        tifffile.imwrite(path, images, photometric="minisblack", metadata={"axes": "TYX"})
    rows = [f"movie{number}.tif,{i},{y},{x}" for number in range(3) for i, y, x in ((1, 20, 20), (2, 40, 50))]
    (tmp_path / "prompts.csv").write_text("\n".join(["image,object,y,x", *rows]) + "\n")
    return tmp_path


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["batch", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("random_nano")
def test_a_table(movies: Path) -> None:
    code, out, err = run(movies / "prompts.csv", "--out", movies / "results")
    assert code == 0, err
    assert out == f"3 sequences: 3 done; 12 frames\n{movies / 'results' / 'report.html'}\n"
    assert re.fullmatch(r"\[1/3\] movie0\.tif: done, 2 objects, 4 frames, [\d.]+ s", err.splitlines()[0])
    assert tifffile.imread(movies / "results" / "movie2.tif").shape == (4, 64, 72)
    assert read_provenance(movies / "results" / "movie2.tif")["command"] == "batch"
    code, out, _ = run(movies / "prompts.csv", "--out", movies / "results")
    assert (code, out.splitlines()[0]) == (0, "3 sequences: 3 done before; 12 frames")


@pytest.mark.usefixtures("random_nano")
def test_one_bad_file(movies: Path) -> None:
    (movies / "movie1.tif").write_bytes(b"")
    code, out, err = run(movies / "prompts.csv")
    assert code == 1
    assert out.startswith("3 sequences: 2 done, 1 failed; 8 frames\n")
    assert "movie1.tif: failed. movie1.tif is empty (0 bytes)" in err
    assert (movies / "napari-sam2-batch" / "report.html").exists()


@pytest.mark.usefixtures("random_nano")
def test_all_problems_are_listed_before_the_work(movies: Path) -> None:
    (movies / "movie0.tif").unlink()
    table = movies / "prompts.csv"
    table.write_text(table.read_text().replace("movie1.tif,1,20", "movie1.tif,1,200"))
    code, out, err = run(table)
    assert (code, out) == (1, "")
    first, second, last = err.splitlines()
    assert first.startswith("- ") and "movie0.tif: there is no such file" in first
    assert "movie1.tif: object 1 on frame 0" in second
    assert last == "napari-sam2: the plan has 2 problems; nothing was done."
    assert not (movies / "napari-sam2-batch").exists()


@pytest.mark.usefixtures("random_nano")
def test_check_does_nothing(movies: Path) -> None:
    (movies / "movie1.tif").write_bytes(b"")
    code, out, _ = run(movies / "prompts.csv", "--check")
    words = "3 sequences, 8 frames: nothing is wrong with the plan, but 1 cannot be opened and will fail\n"
    assert (code, out) == (0, words)
    assert not (movies / "napari-sam2-batch").exists()


@pytest.mark.usefixtures("random_nano")
def test_labels_of_another_tool_and_another_format(movies: Path) -> None:
    (movies / "first").mkdir()
    for number in range(3):
        labels = moving_nuclei(frames=4, height=64, width=72, objects=2, divisions=0, seed=number).labels
        tifffile.imwrite(movies / "first" / f"movie{number}.tif", labels[0], photometric="minisblack")
    code, _, err = run(movies, "--labels", "first/{stem}.tif", "--kind", "ctc", "--output", "{stem}_RES")
    assert code == 0, err
    result = movies / "napari-sam2-batch" / "movie1_RES"
    assert (result / "res_track.txt").read_text()
    wanted = tifffile.imread(movies / "first" / "movie1.tif")
    assert np.array_equal(tifffile.imread(result / "mask000.tif"), wanted)


@pytest.mark.usefixtures("random_nano")
def test_ctrl_c_keeps_what_is_done(movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_sam2.batch.pool import Here

    answers = Here.answers

    def interrupted(self: Here) -> object:
        for answer in answers(self):
            yield answer
            raise KeyboardInterrupt

    monkeypatch.setattr(Here, "answers", interrupted)
    code, _, err = run(movies / "prompts.csv")
    assert code == 130
    assert "the same command goes on from there" in err
    monkeypatch.setattr(Here, "answers", answers)
    assert run(movies / "prompts.csv")[1].startswith("3 sequences: 2 done, 1 done before; 12 frames")


@pytest.fixture
def session(movies: Path, network: SAM2, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("napari_sam2.io.checkpoints.load_model", lambda *_, **__: network)
    with Session.open(movies / "movie0.tif") as session:
        session.prompt(1, 1, clicks=[Click(20, 20)])
        session.prompt(1, 2, mask=np.pad(np.ones((10, 12), bool), ((30, 24), (40, 20))))
        session.prompt(0, 3, clicks=[Click(50, 20)])
        session.rename(1, "mother")
        session.hide(3)
        list(session.propagate())
        list(session.propagate(direction="backward"))
        session.divide(3, 1, [4, 5], masks=[np.eye(64, 72, dtype=bool), np.eye(64, 72, k=9, dtype=bool)])
        session.save(movies / "session.json")
    return movies / "session.json"


def test_a_session_as_a_template(session: Path) -> None:
    template = template_of(session)
    assert [(one.object_id, one.frame) for one in template.prompts] == [(1, 1), (2, 1), (4, 3), (5, 3)]
    assert template.names[1] == "mother"
    assert template.births == (Birth(4, 1, 3), Birth(5, 1, 3))
    assert (template.way, template.model) == (Way.BOTH, "nano")
    masks = [one.prompt.mask.mask.sum() for one in template.prompts if one.prompt.mask is not None]
    assert masks == [120, 64, 63]


def test_a_session_goes_to_each_file(session: Path, movies: Path) -> None:
    code, _, err = run(movies, "--session", session)
    assert code == 0, err
    for number in range(3):
        labels = tifffile.imread(movies / "napari-sam2-batch" / f"movie{number}.tif")
        assert not (labels[3] == 1).any()  # the mother has divided
        assert (labels[3] == 4).sum() == 64
        assert (labels[1] == 2).sum() == 120
        assert 3 not in labels
    notes = read_provenance(movies / "napari-sam2-batch" / "movie1.tif")
    assert notes["objects"]["1"] == "mother"
    assert notes["parents"] == {"4": 1, "5": 1}


def test_no_session(movies: Path) -> None:
    code, _, err = run(movies, "--session", movies / "prompts.csv")
    assert (code, "no session file" in err) == (1, True)
    with pytest.raises(StorageError):
        template_of(movies / "lost.json")


def test_workers_of_its_own(movies: Path, network: SAM2) -> None:
    pytest.importorskip("distributed", reason="Dask's scheduler is not installed")
    save_model(network, movies / "tiny.safetensors")
    code, out, err = run(movies / "prompts.csv", "--workers", 1, "--model", movies / "tiny.safetensors")
    assert (code, out.splitlines()[0]) == (0, "3 sequences: 3 done; 12 frames"), err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--workers", "2", "--scheduler", "tcp://here:1"), "give --workers"),
        (("--way", "up"), "--way"),
        (("--chunk", "1"), "--chunk"),
    ],
)
def test_wrong_usage(
    movies: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, _, err = run(movies / "prompts.csv", *words)
    assert code == 2
    assert said in err


def test_without_dask(movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run(movies / "prompts.csv", "--workers", 2)
    assert code == 1
    assert "pip install 'napari-sam2[batch]'" in err
