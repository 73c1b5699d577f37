"""Sessions come back from disk, whatever happened to the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_sam2 import (
    Box,
    CheckpointError,
    Click,
    ImageError,
    IntensityMap,
    MaskPolicy,
    StorageError,
    TrackingPolicy,
)
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.model.sam2 import SAM2
from napari_sam2.session import autosave as autosave_module
from napari_sam2.session.autosave import journal_of
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.session import Session
from tests.session.conftest import contents, every_label
from tests.session.test_history import sitting, snapshot

Middle = Callable[[int, int], Click]


def same(one: Session, other: Session) -> bool:
    """Whether all is alike; where not, the first difference fails."""
    for ours, theirs in zip(snapshot(one)[:-1], snapshot(other)[:-1], strict=True):
        assert ours == theirs
    assert one.script() == other.script()
    assert one.unfinished == other.unfinished
    return len(one.steps) == len(other.steps)


def annotate(session: Session, middle: Middle) -> Session:
    for act in sitting(session, middle):
        act()
    session.undo()
    return session


def test_saved_and_loaded(
    session: Session, scene: Phantom, network: SAM2, middle: Middle, tmp_path: Path
) -> None:
    annotate(session, middle)
    session.hide(1)
    session.prompt(3, 8, box=Box(2, 3, 20, 30), clicks=[Click(4, 5, positive=False)])
    path = session.save(tmp_path / "a.json")
    loaded = Session.load(path, frames=scene.images, model=network)
    assert same(loaded, session)
    assert not loaded.can_undo
    for one in (session, loaded):  # what the network remembered is back as well
        one.prompt(4, 1, clicks=[middle(4, 2)])
        list(one.propagate())
    assert contents(loaded) == contents(session)
    assert loaded.undo() is not None and loaded.undo() is not None
    session.undo()
    session.undo()
    assert same(loaded, session)
    loaded.save(path)
    with pytest.raises(StorageError, match="exists already"):
        session.fresh().save(path)
    assert same(Session.load(path, frames=scene.images, model=network), loaded)


def test_everything_about_the_sitting_is_kept(scene: Phantom, network: SAM2, tmp_path: Path) -> None:
    policy = TrackingPolicy(fill_hole_area=3, mask=MaskPolicy(dynamic_multimask_stability_delta=0.1))
    intensity = IntensityMap.window(100, 2000)
    volume = np.moveaxis(scene.images, 0, 2)
    session = Session(volume, network, policy, intensity, axes="YXZ", spacing=(2, 0.5, 0.5))
    assert session.guard == LeakGuard(0, 0)
    assert session.frame_axis == "Z"
    session.prompt(0, 1, clicks=[Click(20, 20)])
    loaded = Session.load(session.save(tmp_path / "a.json"), frames=volume, model=network)
    assert (loaded.policy, loaded.intensity, loaded.spacing) == (policy, intensity, (2.0, 0.5, 0.5))
    assert loaded.frame_axis == "Z"
    code = json.loads((tmp_path / "a.json").read_text())
    assert code["provenance"]["software"].startswith("napari-sam2 ")
    assert len(code["model"]["sha256"]) == 64


def test_another_image_or_network_is_an_error(
    scene: Phantom, network: SAM2, small_model: SAM2, tmp_path: Path
) -> None:
    session = Session(scene.images, network)
    session.prompt(0, 1, clicks=[Click(20, 20)])
    path = session.save(tmp_path / "a.json")
    with pytest.raises(StorageError, match="pass it as frames="):
        Session.load(path, model=network)
    with pytest.raises(StorageError, match="pass it as model="):
        Session.load(path, frames=scene.images)
    with pytest.raises(ImageError, match="another image"):
        Session.load(path, frames=scene.images[::-1], model=network)
    with pytest.raises(CheckpointError, match="other weights"):
        Session.load(path, frames=scene.images, model=small_model)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda code: code.update(format="x"), "no session file"),
        (lambda code: code.update(version=2), "update napari-sam2"),
        (lambda code: code.pop("steps"), "damaged session file"),
        (lambda code: code["steps"][0].update(verb="Explode"), "damaged session file"),
        (lambda code: code["masks"][0]["mask"].update(counts=[1]), "damaged session file"),
        (lambda code: code["steps"][0].update(clicks=[["a", 0]]), "damaged session file"),
    ],
)
def test_damaged_files_are_told(
    session: Session, tmp_path: Path, damage: Callable[[Any], Any], words: str
) -> None:
    session.prompt(0, 1, clicks=[Click(20, 20)])
    path = session.save(tmp_path / "a.json")
    code = json.loads(path.read_text())
    damage(code)
    path.write_text(json.dumps(code))
    with pytest.raises(StorageError, match=words):
        Session.load(path)


def test_cut_or_missing_files_are_told(session: Session, tmp_path: Path) -> None:
    path = session.save(tmp_path / "a.json")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match="damaged"):
        Session.load(path)
    with pytest.raises(StorageError, match="cannot be read"):
        Session.load(tmp_path / "b.json")


@pytest.mark.parametrize("rewrite", [1, 8 * 2**20])
def test_autosave_keeps_up_with_everything(
    session: Session,
    scene: Phantom,
    network: SAM2,
    middle: Middle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rewrite: int,
) -> None:
    monkeypatch.setattr(autosave_module, "REWRITE_BYTES", rewrite)
    path = tmp_path / "auto.json"
    session.autosave(path)

    def check() -> None:
        assert same(Session.load(path, frames=scene.images, model=network), session)

    check()
    first, *others = sitting(session, middle)
    first()
    check()
    size = path.stat().st_size  # by now it says what the network is and sees
    for act in others:
        act()
        check()
    run = session.propagate()
    for _ in range(3):
        next(run)
        check()
    assert session.unfinished is not None
    for _ in range(4):
        session.undo()
        check()
    session.redo()
    check()
    assert (path.stat().st_size > size) == (rewrite == 1), "the file is written anew when the journal is long"
    assert sorted(tmp_path.iterdir()) == [path, journal_of(path)]


def test_a_torn_last_line_is_left_out_and_a_damaged_one_is_told(
    session: Session, scene: Phantom, network: SAM2, tmp_path: Path
) -> None:
    path = tmp_path / "auto.json"
    session.autosave(path)
    session.prompt(0, 1, clicks=[Click(20, 20)])
    session.rename(1, "first")
    before = every_label(session)
    session.prompt(0, 2, clicks=[Click(40, 40)])
    journal = journal_of(path)
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-7])
    loaded = Session.load(path, frames=scene.images, model=network)
    assert loaded.objects[1].name == "first"
    assert np.array_equal(every_label(loaded), before)
    journal.write_bytes(whole.replace(b'"verb"', b'"werb"'))
    with pytest.raises(StorageError, match="is damaged"):
        Session.load(path)


def test_a_journal_of_an_earlier_file_is_ignored(
    session: Session, scene: Phantom, network: SAM2, tmp_path: Path
) -> None:
    path = tmp_path / "auto.json"
    session.autosave(path)
    session.prompt(0, 1, clicks=[Click(20, 20)])
    stale = journal_of(path).read_bytes()
    session.autosave(path)
    journal_of(path).write_bytes(stale)  # killed between the two files
    assert same(Session.load(path, frames=scene.images, model=network), session)


def test_saving_over_the_autosave_keeps_its_journal_true(
    session: Session, scene: Phantom, network: SAM2, tmp_path: Path
) -> None:
    path = tmp_path / "auto.json"
    session.autosave(path)
    session.prompt(0, 1, clicks=[Click(20, 20)])
    session.save(path, overwrite=True)
    session.rename(1, "after")
    assert same(Session.load(path, frames=scene.images, model=network), session)


def test_a_full_disk_is_announced_and_work_goes_on(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Exception] = []
    session.events.failed.connect(told.append)
    session.autosave(tmp_path / "auto.json")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(autosave_module.Autosave, "_line", full)
    session.prompt(0, 1, clicks=[Click(20, 20)])
    session.prompt(0, 2, clicks=[Click(40, 40)])
    assert len(told) == 1
    assert isinstance(told[0], StorageError)
    assert "disk is full" in str(told[0])
    assert sorted(session.objects) == [1, 2]
    with pytest.raises(StorageError, match="was not written"):
        session.save(tmp_path / "nowhere" / "a.json")


PROGRAM = """
import sys
import numpy as np
import torch
torch.set_num_threads(int(sys.argv[1]))  # sums in another order differ in their last digits
from napari_sam2 import Click, Session
session = Session.open("movie.tif", model="weights.safetensors")
session.autosave("auto.json")
session.prompt(0, 1, clicks=[Click(20, 20)])
session.prompt(2, 2, clicks=[Click(40, 50)])
for done in session.propagate():
    print(done.frame, flush=True)
"""


def test_killed_in_mid_propagation_nothing_is_lost(
    scene: Phantom, network: SAM2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sam2.io.checkpoints import save_model

    paths = os.pathsep.join(map(os.path.abspath, sys.path))
    monkeypatch.chdir(tmp_path)
    movie = np.concatenate([scene.images] * 3)
    tifffile.imwrite("movie.tif", movie, photometric="minisblack", metadata={"axes": "TYX"})
    save_model(network, "weights.safetensors")
    unbroken = Session.open("movie.tif", model="weights.safetensors")
    unbroken.prompt(0, 1, clicks=[Click(20, 20)])
    unbroken.prompt(2, 2, clicks=[Click(40, 50)])
    list(unbroken.propagate())
    command = [sys.executable, "-c", PROGRAM, str(torch.get_num_threads())]
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for _ in range(4):
            seen = int(process.stdout.readline())
        time.sleep(0.01)  # into the midst of a frame
        process.kill()
    session = Session.load("auto.json")
    assert session.unfinished is not None
    done = sorted(session.masks(1))
    assert done == list(range(len(done)))
    assert seen < len(done) < len(movie)
    whole = contents(unbroken)
    assert all(whole[key] == mask for key, mask in contents(session).items())
    with session:
        session.autosave("auto.json")
        assert [done.frame for done in session.resume()] == list(range(len(done), len(movie)))
    assert contents(session) == whole
    assert contents(Session.load("auto.json")) == whole


@pytest.mark.parametrize("saved", [False, True])
def test_the_script_does_the_same(
    session: Session, scene: Phantom, network: SAM2, middle: Middle, tmp_path: Path, saved: bool
) -> None:
    annotate(session, middle)
    session.reopen(2)
    session.hide(1)
    session.prompt(3, 8, box=Box(2, 3, 20, 30))
    text = session.script()
    if saved:
        text = Session.load(session.save(tmp_path / "a.json"), frames=scene.images, model=network).script()
    names: dict[str, Any] = {"image": scene.images, "model": network}
    exec(compile(text, "script", "exec"), names)
    assert contents(names["session"]) == contents(session)
    assert np.array_equal(every_label(names["session"]), every_label(session))


def test_the_script_of_a_file_names_it(scene: Phantom, network: SAM2, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", scene.images, photometric="minisblack", metadata={"axes": "TYX"})
    session = Session.open(tmp_path / "a.tif", policy=TrackingPolicy(fill_hole_area=2), spacing=(1, 1, 1))
    names: dict[str, Any] = {}
    exec(session.script(), names)
    assert names["session"].image == session.image
    assert names["session"].policy == session.policy
    assert names["session"].spacing == (1, 1, 1)


@pytest.mark.parametrize("saved", [False, True])
def test_closing_gives_the_image_back(scene: Phantom, network: SAM2, tmp_path: Path, saved: bool) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, scene.images, photometric="minisblack", metadata={"axes": "TYX"}, compression="zlib"
    )
    with Session.open(path, model=network) as session:
        session.save(tmp_path / "a.json")
    if saved:
        session = Session.load(tmp_path / "a.json", model=network)
    assert saved == bool(session.frames._read)
    with session:
        session.autosave(tmp_path / "b.json")
    with pytest.raises(StorageError, match="is closed"):
        session.frames[0]
    with pytest.raises(ImageError, match="named with the letters"):
        Session.open(path, axes="Q")
    with pytest.raises(ImageError, match="another image"):
        tifffile.imwrite(path, scene.images[::-1], photometric="minisblack", compression="zlib")
        Session.load(tmp_path / "a.json", model=network)


def test_export(session: Session, middle: Middle, tmp_path: Path) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    list(session.propagate())
    session.export(tmp_path / "labels.tif")
    session.export(tmp_path / "labels.npy")
    assert np.array_equal(tifffile.imread(tmp_path / "labels.tif"), every_label(session))
    assert np.array_equal(np.load(tmp_path / "labels.npy"), every_label(session))


def test_run_lengths_stay_small_in_memory(session: Session) -> None:
    mask = np.zeros((64, 72), bool)
    mask[5:9] = True
    session.prompt(0, 1, mask=mask)
    kept = session.prompts(1)[0].mask
    assert kept is not None
    assert isinstance(kept.mask.runs, RunLengths)
    assert np.array_equal(np.asarray(kept.mask), mask)
