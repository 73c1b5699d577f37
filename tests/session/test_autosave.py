"""What the user did is on the disk itself at once; frames follow at most twice a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_sam2.errors import StorageError
from napari_sam2.prompts import Click
from napari_sam2.session import autosave as autosave_module
from napari_sam2.session.autosave import SYNC_SECONDS, journal_of
from napari_sam2.session.session import Session
from tests.session.conftest import LENGTH

Middle = Callable[[int, int], Click]


class Disk:
    """Size of the journal at every fsync of it."""

    def __init__(self, path: Path) -> None:
        self.journal = journal_of(path)
        self.safe: list[int] = []
        self._fsync = os.fsync

    def __call__(self, handle: int) -> None:
        if self.journal.exists() and os.path.samestat(os.fstat(handle), self.journal.stat()):
            self.safe.append(self.journal.stat().st_size)
        self._fsync(handle)

    @property
    def all_safe(self) -> bool:
        return self.safe[-1] == self.journal.stat().st_size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "auto.json"


@pytest.fixture
def disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(path)
    monkeypatch.setattr(autosave_module.os, "fsync", disk)
    return disk


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time that autosave sees; it stands still."""
    time = [100.0]
    monkeypatch.setattr(autosave_module, "time", SimpleNamespace(monotonic=lambda: time[0]))
    yield time


def test_commands_are_safe_at_once(
    session: Session, middle: Middle, path: Path, disk: Disk, now: list[float]
) -> None:
    session.autosave(path)
    assert disk.all_safe
    for act in (
        lambda: session.prompt(0, 1, clicks=[middle(0, 1)]),
        lambda: session.prompt(0, 2, clicks=[middle(0, 2)]),
        lambda: session.rename(1, "first"),
        session.undo,
        session.redo,
    ):
        count = len(disk.safe)
        act()
        assert disk.all_safe
        assert len(disk.safe) > count


def test_frames_are_safe_now_and_then_and_the_last_one_at_once(
    session: Session, middle: Middle, path: Path, disk: Disk, now: list[float]
) -> None:
    session.autosave(path)
    session.prompt(0, 1, clicks=[middle(0, 1)])
    session.rename(1, "first")
    disk.safe.clear()
    synced = []
    for done in session.propagate():
        if disk.safe:
            synced.append(done.frame)
            assert disk.all_safe
            disk.safe.clear()
        now[0] += SYNC_SECONDS / 3
    assert synced == [3, 6, LENGTH - 1]
    run = session.propagate()
    next(run), next(run)
    run.close()
    disk.safe.clear()
    session.rename(1, "again")
    assert disk.all_safe, "the frames before it as well"


def test_closing_makes_safe_what_was_left(
    session: Session, middle: Middle, path: Path, disk: Disk, now: list[float]
) -> None:
    session.autosave(path)
    session.prompt(0, 1, clicks=[middle(0, 1)])
    session.rename(1, "first")
    disk.safe.clear()
    next(session.propagate())
    assert not disk.safe
    session.close()
    assert disk.all_safe


def test_a_disk_that_fails_is_announced(
    session: Session, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Exception] = []
    session.events.failed.connect(told.append)
    session.autosave(path)
    session.prompt(0, 1, clicks=[Click(20, 20)])

    def broken(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(autosave_module.os, "fsync", broken)
    session.rename(1, "first")
    session.rename(1, "second")
    assert [type(error) for error in told] == [StorageError]
    assert "Input/output error" in str(told[0])
    assert session.objects[1].name == "second"
