"""Giving memory back now and then."""

import sys

import pytest

from napari_sam2.inference.heap import HeapTrim, find_trim


def test_trims_after_every_so_many_frames() -> None:
    given: list[int] = []
    heap = HeapTrim(every=3, trim=lambda pad: given.append(pad) or 1)
    for count in (0, 0, 1, 1, 1, 2):
        heap.frame_done()
        assert len(given) == count
    assert given == [0, 0]


def test_does_nothing_without_a_c_library_that_can() -> None:
    heap = HeapTrim(every=1)
    heap.frame_done()


def test_is_looked_for_on_linux_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_trim() is None
