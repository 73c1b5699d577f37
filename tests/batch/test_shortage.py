"""Too little memory or disk, and what nobody expected: tried again, told, and nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from napari_sam2.batch import follow
from napari_sam2.batch.journal import Journal
from napari_sam2.batch.outcome import Status
from napari_sam2.model.sam2 import SAM2
from tests.batch.conftest import Folder, make_movies, outputs, run_here, table_plan


def test_memory_that_runs_out_is_tried_again_with_fewer_objects(
    folder: Folder, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(1)
    table = root / "prompts.csv"
    table.write_text(table.read_text().replace("movie00.tif,2,2", "movie00.tif,2,1"))
    run_here(serial := table_plan(root, weights, out="serial"))
    asked: list[int] = []
    memorize = SAM2.memorize

    def narrow(self: SAM2, embedding: Any, prediction: Any, binarize: bool) -> Any:
        asked.append(len(prediction.logits))
        if asked[-1] > 1:
            raise torch.OutOfMemoryError("full")
        return memorize(self, embedding, prediction, binarize)

    monkeypatch.setattr(SAM2, "memorize", narrow)
    plan = table_plan(root, weights)
    (outcome,) = run_here(plan)
    assert (outcome.status, outcome.at_once) == (Status.DONE, 1)
    assert asked.count(2) == 3  # 8, 4 and 2 at once are the same for two objects
    apart = outputs(plan)["movie00.tif"] != outputs(serial)["movie00.tif"]
    assert apart.mean() < 0.01  # sums of other sizes may differ in their last digits


def test_a_worker_without_any_memory_fails_in_a_sentence(
    folder: Folder, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = table_plan(folder(1), weights)

    def full(self: SAM2, *_: Any) -> Any:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(SAM2, "memorize", full)
    (outcome,) = run_here(plan, retries=1)
    assert outcome.status is Status.FAILED
    assert "even with one object at a time" in outcome.message
    assert "tried 2 times" in outcome.message


def test_what_nobody_expected_is_tried_again(
    folder: Folder, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = table_plan(folder(2), weights)
    left = [1]
    begin = follow.Follower._begin

    def shaky(self: follow.Follower) -> None:
        if left and left.pop():
            raise ConnectionResetError("the share went away")
        begin(self)

    monkeypatch.setattr(follow.Follower, "_begin", shaky)
    assert [one.status for one in run_here(plan)] == [Status.DONE] * 2
    left[:] = [1]
    monkeypatch.setattr(follow.Follower, "_begin", lambda self: (_ for _ in ()).throw(KeyError("lost")))
    found = run_here(plan, restart=True, retries=0)
    assert {one.status for one in found} == {Status.FAILED}
    assert "KeyError: 'lost'" in found[0].message


def test_a_full_disk_is_told_and_costs_nothing(
    folder: Folder, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = table_plan(folder(1), weights)
    append = Journal.append

    def full(self: Journal, entry: Any) -> None:
        if len(self) == 4:
            import errno

            from napari_sam2.io.output import failure

            raise failure(self.path, OSError(errno.ENOSPC, "full"))
        append(self, entry)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        (outcome,) = run_here(plan)
    assert outcome.status is Status.FAILED
    assert "disk is full" in outcome.message
    (outcome,) = run_here(plan)
    assert outcome.computed == outcome.visits - 3


def test_memory_does_not_grow_with_the_sequence(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    keep = follow.Follower._keep

    def watched(self: follow.Follower, *about: Any) -> None:
        keep(self, *about)
        kept.append(len(self._state.records._layouts))

    monkeypatch.setattr(follow.Follower, "_keep", watched)
    monkeypatch.setattr(follow, "SYNC_SECONDS", 0.0)
    plan = table_plan(make_movies(tmp_path, 1, 30), weights, way="forward")
    monkeypatch.setattr(follow.Memories, "clear", lambda self: None)
    files: list[int] = []
    prune = follow.Memories.prune

    def counted(self: follow.Memories, needed: Any) -> None:
        prune(self, needed)
        files.append(len(list(self.folder.iterdir())))

    monkeypatch.setattr(follow.Memories, "prune", counted)
    run_here(plan)
    assert max(kept) == kept[20] == kept[-2]
    assert max(files) <= 18
