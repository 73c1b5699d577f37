"""Long sequences in chunks: cut, followed on their own, joined by the frames they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.batch.check import jobs_of
from napari_sam2.batch.finished import Finished, cut, join
from napari_sam2.batch.job import Job, Part
from napari_sam2.batch.journal import Entry, Found, Journal
from napari_sam2.batch.outcome import Status
from napari_sam2.batch.plan import Cut
from napari_sam2.batch.pool import Here
from napari_sam2.batch.run import run_batch
from napari_sam2.batch.sources import plan_of
from tests.batch.conftest import Folder, no_session, outputs, run_here, scene, table_plan, write_stack

SHAPE = (4, 6)


@pytest.mark.parametrize(
    ("length", "frames", "shared", "wanted"),
    [
        (10, 4, 1, [(0, 4), (3, 7), (6, 10)]),
        (11, 4, 1, [(0, 4), (3, 7), (6, 10), (9, 11)]),
        (10, 10, 3, [(0, 10)]),
        (3, 10, 3, [(0, 3)]),
        (10, 5, 4, [(0, 5), (1, 6), (2, 7), (3, 8), (4, 9), (5, 10)]),
    ],
)
def test_cut(length: int, frames: int, shared: int, wanted: list[tuple[int, int]]) -> None:
    assert [(part.start, part.stop) for part in cut(length, frames, shared)] == wanted


@pytest.mark.parametrize("length", range(2, 30))
def test_every_frame_is_in_a_chunk_and_neighbours_share(length: int) -> None:
    parts = cut(length, 6, 2)
    assert {frame for part in parts for frame in part.frames} == set(range(length))
    assert [part.number for part in parts] == list(range(len(parts)))
    for former, latter in pairwise(parts):
        assert len(set(former.frames) & set(latter.frames)) == 2
        assert len(latter.frames) > 2  # the last one, too, has frames of its own


def test_join_takes_the_best_pairs() -> None:
    before, after = {1: 100, 2: 100}, {5: 100, 6: 100, 7: 10}
    common = np.array([[80, 90, 0], [0, 75, 0]])
    assert join(common, before, after, 0.5) == {5: 1, 6: 2}
    assert join(common, before, after, 0.65) == {6: 1}
    assert join(common[:0], {}, after, 0.5) == {}
    assert join(common[:, :0], before, {}, 0.5) == {}


def mask(column: int, width: int = 2) -> np.ndarray:
    pixels = np.zeros(SHAPE, bool)
    pixels[:, column : column + width] = True
    return pixels


def write_part(job: Job, part: Part, found: Mapping[int, Mapping[int, np.ndarray]]) -> None:
    job.own.mkdir(parents=True, exist_ok=True)
    with Journal(job.journal(part), {"part": part.number}) as journal:
        journal.append(Entry(-1, (), 0))
        for frame in part.frames:
            masks = found.get(frame, {})
            journal.append(Entry(frame, tuple(Found.of(i, 0.5, m, m) for i, m in masks.items()), 0))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    write_stack(tmp_path / "a.tif", np.ones((5, *SHAPE), np.uint8))
    plan = plan_of({"sequences": [{"image": "a.tif", "labels": "a.tif"}]}, tmp_path, no_session)
    (job,) = jobs_of(plan)
    return replace(job, settings=replace(job.settings, cut=Cut(3, 1)))


def test_objects_are_joined_by_shared_frames(job: Job) -> None:
    first, second = Part(0, 0, 3), Part(1, 2, 5)
    left, right = mask(0), mask(4)
    write_part(job, first, {0: {1: left}, 1: {1: left, 2: right}, 2: {1: left, 2: right}})
    # In the second chunk the same two have swapped numbers, and a third one is new.
    new = mask(2)
    write_part(
        job, second, {2: {1: right, 2: left, 3: new}, 3: {1: right, 3: new}, 4: {1: right, 2: left, 3: new}}
    )
    with Finished(job, (first, second), (5, *SHAPE)) as finished:
        assert finished.objects == {1, 2, 3}
        rows = [finished.labels(frame)[0].tolist() for frame in range(5)]
        assert dict(finished.masks(4)).keys() == {1, 2, 3}
        assert finished.confidence(3) == {2: 0.5, 3: 0.5}
        assert finished.visits == 6
    assert rows == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 2, 2],
        [1, 1, 3, 3, 2, 2],
        [0, 0, 3, 3, 2, 2],
        [1, 1, 3, 3, 2, 2],
    ]


def test_a_number_that_is_taken_becomes_a_free_one(job: Job) -> None:
    first, second = Part(0, 0, 3), Part(1, 2, 5)
    write_part(job, first, {frame: {1: mask(0)} for frame in first.frames})
    write_part(job, second, {frame: {1: mask(4)} for frame in second.frames})
    with Finished(job, (first, second), (5, *SHAPE)) as finished:
        assert finished.objects == {1, 2}
        assert finished.labels(2)[0].tolist() == [1, 1, 0, 0, 2, 2]
        assert finished.labels(4)[0].tolist() == [0, 0, 0, 0, 2, 2]


def test_the_former_chunk_has_the_say_on_shared_frames(job: Job) -> None:
    first, second = Part(0, 0, 3), Part(1, 2, 5)
    write_part(job, first, {frame: {1: mask(0, 3)} for frame in first.frames})
    write_part(job, second, {frame: {9: mask(0, 4)} for frame in second.frames})
    with Finished(job, (first, second), (5, *SHAPE)) as finished:
        assert finished.objects == {1}
        assert [int((finished.labels(frame) == 1)[0].sum()) for frame in range(5)] == [3, 3, 3, 4, 4]


def test_labels_of_every_frame_carry_chunks(tmp_path: Path, weights: Path) -> None:
    phantom = scene(3, 9)
    write_stack(tmp_path / "movie.tif", phantom.images)
    shuffled = phantom.labels.copy().astype(np.uint16)
    shuffled[3:] = np.array([0, 12, 11], np.uint16)[
        shuffled[3:]
    ]  # as a tool names them that sees frames alone
    write_stack(tmp_path / "stardist.tif", shuffled)
    wishes: dict[str, Any] = {"images": "movie.tif", "labels": "stardist.tif", "model": str(weights)}
    wishes["policy"] = {"max_obj_ptrs_in_encoder": 4}  # so that a chunk is not too short for all of them
    plan = plan_of({**wishes, "chunk": 4, "shared": 1}, tmp_path, no_session)
    plan.folder.mkdir()
    (outcome,) = run_here(plan)
    assert outcome.status is Status.DONE
    labels = outputs(plan)["movie.tif"]
    # What came from the other tool stays as it came on the first frame of the first chunk.
    assert np.array_equal(labels[0], phantom.labels[0])
    # Two chunks of 4 frames and one of 3 that share one each: 9 frames, two of them twice.
    assert (outcome.frames, outcome.visits, outcome.computed) == (9, 11, 11)
    assert 2 <= outcome.objects <= 6
    alone = plan_of({**wishes, "out": "alone"}, tmp_path, no_session)
    alone.folder.mkdir()
    assert run_here(alone)[0].visits == 9
    assert np.array_equal(outputs(alone)["movie.tif"][:3], labels[:3])


def test_prompts_say_who_is_who(folder: Folder, weights: Path) -> None:
    root = folder(1)
    table = root / "prompts.csv"
    table.write_text(table.read_text() + "movie00.tif,1,4,30,30\nmovie00.tif,2,4,50,50\n")
    plan = table_plan(root, weights, chunk=4, shared=1, way="forward")
    (outcome,) = run_here(plan)
    assert (outcome.status, outcome.objects) == (Status.DONE, 2)
    assert set(np.unique(outputs(plan)["movie00.tif"])) <= {0, 1, 2}


def test_a_chunk_that_fails_fails_its_sequence_alone(
    folder: Folder, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(2)
    table = root / "prompts.csv"
    more = "".join(f"movie{n:02d}.tif,{i},4,30,{30 + i}\n" for n in range(2) for i in (1, 2))
    table.write_text(table.read_text() + more)
    plan = table_plan(root, weights, chunk=4, shared=1)
    from napari_sam2.batch import work

    followed = work._followed

    def broken(job: Job, part: Part, *rest: Any) -> Any:
        if job.sequence.image.name == "movie00.tif" and part.number == 1:
            raise ValueError("not this one")
        return followed(job, part, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(work, "_followed", broken)
        found = run_batch(plan, Here(), retries=0)
    assert [one.status for one in found] == [Status.FAILED, Status.DONE]
    assert "not this one" in found[0].message
    again = run_here(plan)
    assert [one.status for one in again] == [Status.DONE, Status.BEFORE]
    assert 0 < again[0].computed < again[0].visits  # the first chunk was done
