"""A batch in a process of its own: it tells what happens, and stops when asked or when nobody listens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.batch.apart import Apart, Order, Report
from napari_sam2.batch.outcome import Note, Outcome, Status
from napari_sam2.batch.plan import Plan
from napari_sam2.errors import Sam2Error
from tests.batch.conftest import Folder, outputs, run_here, table_plan


def follow(plan: Plan, workers: int = 1) -> list[Note | Outcome | Report]:
    with closing(Apart(Order(plan, workers))) as apart:
        return list(apart.events())


def end_of(apart: Apart) -> float:
    """Return after how many seconds the process has ended."""
    began = time.monotonic()
    apart._process.wait(60)
    return time.monotonic() - began


@pytest.fixture
def plan(folder: Folder, weights: Path) -> Iterator[Plan]:
    yield table_plan(folder(2), weights)


def test_it_does_what_this_process_does(plan: Plan, folder: Folder, weights: Path) -> None:
    told = follow(plan)
    ends = [one for one in told if isinstance(one, Outcome)]
    assert [one.status for one in ends] == [Status.DONE] * 2
    assert {one.name for one in told if isinstance(one, Note)} == {one.name for one in ends}
    report = told[-1]
    assert isinstance(report, Report)
    assert report.summary == "2 sequences: 2 done; 12 frames"
    assert "movie01.tif" in report.page.read_text()
    here = table_plan(plan.sequences[0].image.parent, weights, out="here")
    run_here(here)
    for name, labels in outputs(here).items():
        assert np.array_equal(outputs(plan)[name], labels)


def test_it_is_stopped_and_goes_on(plan: Plan) -> None:
    with closing(Apart(Order(plan))) as apart:
        events = apart.events()
        first = next(events)
        apart.stop()
        left = list(events)
    assert isinstance(first, Note)
    assert not any(isinstance(one, Report) for one in left)
    again = [one for one in follow(plan) if isinstance(one, Outcome)]
    assert {one.status for one in again} <= {Status.DONE, Status.BEFORE}
    # At least the frame of the first note was not done a second time.
    assert sum(one.computed for one in again) < sum(one.visits for one in again)


def test_what_is_wrong_is_said(plan: Plan, tmp_path: Path) -> None:
    plan.sequences[1].image.unlink()
    with pytest.raises(Sam2Error, match="there is no such file"):
        follow(plan)


def test_a_process_that_dies_is_noticed(plan: Plan) -> None:
    with closing(Apart(Order(plan))) as apart:
        events = apart.events()
        next(events)
        apart._process.kill()
        with pytest.raises(Sam2Error, match="start again to go on"):
            list(events)


def test_it_ends_with_whoever_began_it(plan: Plan) -> None:
    with closing(Apart(Order(plan))) as apart:
        next(apart.events())
        # What a kill leaves: both ends are closed, and nobody said a word.
        apart._from.close()
        apart._to.close()
        assert end_of(apart) < 30


@pytest.mark.slow
def test_workers_are_stopped_and_go_on(plan: Plan) -> None:
    pytest.importorskip("distributed", reason="Dask's scheduler is not installed")
    with closing(Apart(Order(plan, workers=2))) as apart:
        events = apart.events()
        next(events)
        apart.stop()
        assert not any(isinstance(one, Report) for one in events)
    told = follow(plan, workers=2)
    assert isinstance(told[-1], Report)
    assert {one.status for one in told if isinstance(one, Outcome)} <= {Status.DONE, Status.BEFORE}
