"""One process: labels as the command `track` gives them, going on after a stop, and bad files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock, Timeout

from napari_sam2.batch.check import jobs_of
from napari_sam2.batch.job import Part
from napari_sam2.batch.outcome import Note, Outcome, Status
from napari_sam2.batch.plan import Plan, PlanError
from napari_sam2.batch.pool import Here
from napari_sam2.batch.run import run_batch
from napari_sam2.cli.track import follow as tracked
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.io.labels import LabelWriter, read_provenance
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from tests.batch.conftest import (
    LENGTH,
    Folder,
    middle,
    outputs,
    run_here,
    scene,
    table_plan,
    write_stack,
)


class Stopped(BaseException):
    """What a kill looks like from inside: nothing is tidied up."""


def stop_after(visits: int) -> Callable[[Note], None]:
    def tell(note: Note) -> None:
        if note.done == visits:
            raise Stopped

    return tell


def run_until(plan: Plan, visits: int) -> None:
    with pytest.raises(Stopped):
        run_batch(plan, Here(stop_after(visits)))


def test_labels_are_those_of_the_tracker(
    folder: Folder, weights: Path, network: SAM2, tmp_path: Path
) -> None:
    plan = table_plan(folder(2), weights)
    found = run_here(plan)
    assert [one.status for one in found] == [Status.DONE] * 2
    for number, labels in enumerate(outputs(plan).values()):
        phantom = scene(number)
        tracker = VideoTracker(network)
        state = tracker.start(phantom.images)
        for label, frame in ((1, 1), (2, 2)):
            y, x = (float(f"{v:.1f}") for v in middle(phantom, frame, label))
            tracker.prompt(state, frame, label, clicks=[Click(y, x)])
        with LabelWriter(tmp_path / f"{number}.npy", phantom.images.shape) as writer:
            tracked(tracker, state, writer, both_ways=True)
        assert set(np.unique(labels)) == {0, 1, 2}
        assert np.array_equal(labels, np.load(tmp_path / f"{number}.npy"))
    notes = read_provenance(plan.sequences[0].output)
    assert notes["model"] == str(weights)
    assert len(notes["weights"]) == 64
    assert notes["prompts"][0]["frame"] == 1
    assert (found[0].frames, found[0].objects) == (LENGTH, 2)
    assert 0 < found[0].confidence <= 1


def test_what_is_done_is_not_done_again(folder: Folder, weights: Path, encoded: list[str]) -> None:
    plan = table_plan(folder(2), weights)
    first = run_here(plan)
    assert len(encoded) == len(set(encoded)) == 2 * LENGTH
    again = run_here(plan)
    assert len(encoded) == 2 * LENGTH
    assert [one.status for one in again] == [Status.BEFORE] * 2
    assert [one.confidence for one in again] == [one.confidence for one in first]
    assert run_here(plan, restart=True)[0].computed == first[0].visits
    assert len(encoded) == 4 * LENGTH
    assert not [path for path in plan.work.rglob("*") if path.suffix in (".journal", ".safetensors")]


@pytest.mark.parametrize(
    ("policy", "every"),
    [(TrackingPolicy(), 1), (TrackingPolicy.for_stacks(max_obj_ptrs_in_encoder=3), 3)],
    ids=["time", "depth"],
)
def test_a_run_stopped_at_any_frame_goes_on_from_there(
    folder: Folder, weights: Path, encoded: list[str], policy: TrackingPolicy, every: int
) -> None:
    root = folder(1)
    plan = table_plan(root, weights, out="whole")
    plan = replace(plan, settings=replace(plan.settings, policy=policy))
    (whole,) = run_here(plan)
    wanted = outputs(plan)["movie00.tif"]
    for visits in [*range(0, whole.visits, every), whole.visits]:
        part = table_plan(root, weights, out=f"stopped{visits}")
        part = replace(part, settings=plan.settings)
        run_until(part, visits)
        before = len(encoded)
        (outcome,) = run_here(part)
        assert outcome.computed == whole.visits - visits
        left = encoded[before:]
        assert len(left) == len(set(left))  # each frame at most once after the restart
        assert np.array_equal(outputs(part)["movie00.tif"], wanted), visits
    assert not left  # the last one had nothing but its output to write


def test_many_stops(folder: Folder, weights: Path, encoded: list[str]) -> None:
    root = folder(1)
    plan = table_plan(root, weights, way="forward")
    for visits in (1, 3, 4):
        run_until(plan, visits)
    assert (
        len(encoded) == 5
    )  # frame 2 in the first run, for its prompt, and in the second, for the other object
    (outcome,) = run_here(plan)
    assert (outcome.visits, outcome.computed, len(encoded)) == (5, 1, 6)
    again = table_plan(root, weights, way="forward", out="serial")
    run_here(again)
    assert np.array_equal(outputs(plan)["movie00.tif"], outputs(again)["movie00.tif"])


def test_after_a_power_failure_it_goes_back_to_what_is_sound(folder: Folder, weights: Path) -> None:
    root = folder(1)
    run_here(serial := table_plan(root, weights, out="serial"))
    (job,) = jobs_of(plan := table_plan(root, weights))
    part = Part(0, 0, LENGTH)
    run_until(plan, 4)
    files = sorted(job.memories(part).glob("0*.safetensors"))
    files[2].write_bytes(bytes(files[2].stat().st_size))
    with job.journal(part).open("ab") as journal:
        journal.write(b'{"frame": 4, "fou')
    (outcome,) = run_here(plan)
    assert outcome.computed == outcome.visits - 2
    assert np.array_equal(outputs(plan)["movie00.tif"], outputs(serial)["movie00.tif"])


def test_other_prompts_begin_anew(folder: Folder, weights: Path) -> None:
    root = folder(1)
    run_until(table_plan(root, weights), 3)
    table = root / "prompts.csv"
    table.write_text(table.read_text().replace("movie00.tif,2,2", "movie00.tif,2,3"))
    (outcome,) = run_here(table_plan(root, weights))
    assert outcome.computed == outcome.visits
    assert run_here(table_plan(root, weights))[0].status is Status.BEFORE


def test_one_bad_file_never_stops_the_rest(folder: Folder, weights: Path) -> None:
    root = folder(4)
    whole = (root / "movie00.tif").read_bytes()
    (root / "movie00.tif").write_bytes(whole[: len(whole) // 3])
    (root / "movie01.tif").write_bytes(b"")
    images = np.full((LENGTH, 64, 72), np.nan, np.float32)
    images[0] = scene(2).images[0]
    write_stack(root / "movie02.tif", images)
    plan = table_plan(root, weights)
    told: list[Outcome] = []
    found = run_here(plan, tell=told.append)
    assert [one.status for one in found] == [Status.FAILED] * 3 + [Status.DONE]
    assert len(told) == 4
    for one, words in zip(found, ("movie00.tif", "empty", "NaN"), strict=False):
        assert words in one.message
    assert not plan.sequences[0].output.exists()
    (root / "movie00.tif").write_bytes(whole)
    assert [one.status for one in run_here(plan)[:1]] == [Status.DONE]


def test_an_output_in_the_way_is_never_replaced_unasked(folder: Folder, weights: Path) -> None:
    plan = table_plan(folder(1), weights)
    output = plan.sequences[0].output
    output.write_text("mine")
    with pytest.raises(PlanError, match="exists already"):
        run_here(plan)
    assert output.read_text() == "mine"
    assert run_here(plan, overwrite=True)[0].status is Status.DONE


def test_killed_while_its_output_was_written(
    folder: Folder, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = table_plan(folder(1), weights)

    def stopped(*_: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr("napari_sam2.batch.output._draw", stopped)
        run_here(plan)
    assert plan.sequences[0].output.exists()
    (outcome,) = run_here(plan)
    assert (outcome.status, outcome.computed) == (Status.DONE, 0)


def test_whoever_waits_for_a_sequence_finds_it_done(
    folder: Folder, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker may look as soon as the lock is free: all has to be written down by then."""
    plan = table_plan(folder(1), weights)
    (job,) = jobs_of(plan)
    held: list[bool] = []
    write = Outcome.write

    def watched(self: Outcome, *about: Any) -> None:
        with pytest.raises(Timeout):
            FileLock(job.lock(None), timeout=0).acquire()
        held.append(job.journal(Part(0, 0, LENGTH)).exists())
        write(self, *about)

    def stopped(*_: Any) -> None:
        raise Stopped

    monkeypatch.setattr(Outcome, "write", watched)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr("napari_sam2.batch.work._clear", stopped)
        run_here(plan)
    assert held == [True]
    assert run_here(plan)[0].status is Status.BEFORE
