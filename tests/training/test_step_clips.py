"""Clips of a step: the same whatever came before, however many workers, and different for every process."""

from itertools import islice

import numpy as np
import pytest
import torch

from napari_sam2.errors import StorageError
from napari_sam2.training.recordings import Kind, Recording
from napari_sam2.training.step_clips import Batch, StepClips


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    rng = np.random.default_rng(0)
    labels = np.zeros((1, 64, 64), np.uint8)
    labels[0, 10:30, 10:30], labels[0, 35:60, 30:55] = 1, 2
    return [Recording.build(Kind.STILL, rng.integers(0, 255, (1, 64, 64)), labels) for _ in range(3)]


def batches(
    recordings: list[Recording], step: int, count: int, workers: int = 0, rank: int = 0
) -> list[Batch]:
    clips = StepClips(recordings, 2, workers, 5, rank, size=32, frames=2, max_objects=3)
    return list(islice(clips(step), count))


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_step_has_its_clips(recordings: list[Recording]) -> None:
    first = batches(recordings, 0, 4)
    assert same(first[2], batches(recordings, 2, 1)[0])
    assert not same(first[2], first[3])
    assert not same(first[2], batches(recordings, 2, 1, rank=1)[0])
    images, masks, valid, classes = first[0]
    assert images.shape == (2, 2, 3, 32, 32)
    assert masks.shape == (2, 2, 3, 32, 32)
    assert valid.shape == (2, 3)
    assert classes.shape == (2, 32, 32)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")
def test_workers_keep_the_order(recordings: list[Recording]) -> None:
    inline = batches(recordings, 3, 5)
    forked = batches(recordings, 3, 5, workers=2)
    assert all(same(a, b) for a, b in zip(inline, forked, strict=True))


def test_nothing_to_draw() -> None:
    blank = Recording.build(
        Kind.STILL, np.arange(64 * 64).reshape(1, 64, 64), np.zeros((1, 64, 64), np.uint8)
    )
    with pytest.raises(StorageError, match="no labelled recording"):
        StepClips([blank], 1, size=32)
