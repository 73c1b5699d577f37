"""A file that only grows, and is sound wherever it was cut off."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.batch.journal import Entry, Found, Journal
from napari_sam2.errors import StorageError

HEAD = {"fingerprint": "abc", "part": 0}
SHAPE = (5, 6)


def entry(number: int) -> Entry:
    mask = np.random.default_rng(number).random(SHAPE) > 0.5
    owned = mask.copy()
    owned[:2] = False
    return Entry(number, (Found.of(1, 0.5, mask, owned), Found.of(2, 0.25, ~mask, ~mask)), 17 * number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Journal(tmp_path / "a.journal", HEAD) as journal:
        for number in range(4):
            journal.append(entry(number))
    return tmp_path / "a.journal"


def test_entries_come_back(path: Path) -> None:
    for head in (HEAD, None):
        with Journal(path, head) as journal:
            assert journal.head == HEAD
            assert [journal[number] for number in range(len(journal))] == [entry(n) for n in range(4)]
            assert journal[-1] == entry(3)
            with pytest.raises(IndexError, match="has 4 visit"):
                journal[4]


@given(seed=st.integers(0, 10**6))
def test_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(SHAPE) > rng.random()
    owned = mask & (rng.random(SHAPE) > rng.random())
    found = Found.of(3, 1.0, mask, owned)
    assert np.array_equal(found.pixels(SHAPE), mask)
    assert np.array_equal(found.owned(SHAPE), owned)
    assert bool(found.lost) == bool((mask & ~owned).any())


def test_cut_off_anywhere_it_keeps_what_is_whole(path: Path) -> None:
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for length in range(ends[0], len(data) + 1):
        path.write_bytes(data[:length])
        with Journal(path, HEAD) as journal:
            whole = sum(end <= length for end in ends) - 1
            assert len(journal) == whole
            journal.append(entry(9))
            assert journal[whole] == entry(9)
        with Journal(path) as journal:
            assert [journal[i] for i in range(whole)] == [entry(i) for i in range(whole)]


def test_a_damaged_middle_costs_what_is_behind(path: Path) -> None:
    data = bytearray(path.read_bytes())
    ends = [i for i, byte in enumerate(data) if byte == ord("\n")]
    data[ends[1] + 5 : ends[1] + 40] = bytes(35)
    path.write_bytes(data)
    with Journal(path, HEAD) as journal:
        assert len(journal) == 1
    assert path.read_bytes() == bytes(data[: ends[1] + 1])


def test_another_head_begins_anew(path: Path) -> None:
    with Journal(path, {**HEAD, "fingerprint": "other"}) as journal:
        assert len(journal) == 0
    with Journal(path, HEAD) as journal:
        assert len(journal) == 0


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b"PK\x03\x04"])
def test_what_is_no_journal(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StorageError, match="no journal"):
        Journal(path)
    with Journal(path, HEAD) as journal:
        assert len(journal) == 0


def test_cut(path: Path) -> None:
    with Journal(path, HEAD) as journal:
        journal.cut(2)
        journal.append(entry(8))
    with Journal(path) as journal:
        assert [journal[i].frame for i in range(len(journal))] == [0, 1, 8]


def test_a_full_disk_leaves_no_half_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    class Full:
        def __init__(self, file: object) -> None:
            self._file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

        def write(self, data: memoryview) -> int:
            if len(data) < 40:
                raise OSError(errno.ENOSPC, "full")
            return self._file.write(data[:40])  # type: ignore[attr-defined,no-any-return]

    with Journal(path, HEAD) as journal:
        monkeypatch.setattr(journal, "_file", Full(journal._file))
        with pytest.raises(StorageError, match="disk is full"):
            journal.append(entry(5))
        assert len(journal) == 4
    assert path.read_bytes() == before


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"a\.journal"):
        Journal(tmp_path / "gone" / "a.journal", HEAD)
