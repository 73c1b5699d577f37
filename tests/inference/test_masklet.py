"""Run lengths: any mask comes back as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_sam2.inference.masklet import Masklet, RunLengths

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


@settings(deadline=None, max_examples=200)
@given(arrays(bool, SHAPES, elements=st.booleans()))
def test_round_trip(mask: np.ndarray) -> None:
    coded = RunLengths.encode(mask)
    found = coded.decode()
    assert found.dtype == bool
    assert np.array_equal(found, mask)
    assert coded.area == mask.sum()
    assert coded.counts.dtype == np.uint32
    assert int(coded.counts.sum()) == mask.size
    assert (coded.counts[1:] > 0).all(), "only the first run may be empty"


@pytest.mark.parametrize(
    ("mask", "counts"),
    [
        (np.zeros((3, 4), bool), [12]),
        (np.ones((3, 4), bool), [0, 12]),
        (np.array([[0, 1, 1], [1, 0, 0]], bool), [1, 3, 2]),
        (np.array([[1, 0], [0, 1]], bool), [0, 1, 2, 1]),
        (np.zeros((0, 4), bool), [0]),
    ],
    ids=["empty", "full", "runs pass over rows", "starts inside", "no pixels"],
)
def test_by_hand(mask: np.ndarray, counts: list[int]) -> None:
    coded = RunLengths.encode(mask)
    assert coded.counts.tolist() == counts
    assert coded.area == mask.sum()
    assert coded.decode().shape == mask.shape
    assert np.array_equal(coded.decode(), mask)


def test_views_and_numbers_are_taken_as_masks() -> None:
    mask = np.arange(24).reshape(4, 6) % 5 == 0
    assert np.array_equal(RunLengths.encode(mask[::2, ::-1].T).decode(), mask[::2, ::-1].T)
    assert np.array_equal(RunLengths.encode(mask.astype(np.uint8) * 7).decode(), mask)


def test_a_large_blob_takes_little() -> None:
    y, x = np.mgrid[:1000, :1000]
    disk = (y - 500) ** 2 + (x - 500) ** 2 < 300**2
    assert RunLengths.encode(disk).counts.nbytes < disk.nbytes / 100


def test_a_masklet_keeps_the_last_mask_of_a_frame() -> None:
    masklet = Masklet()
    masklet.set(3, np.zeros((2, 2), bool), 0.1)
    masklet.set(3, np.ones((2, 2), bool), 0.9)
    masklet.set(4, np.eye(2, dtype=bool), 0.5)
    assert masklet.masks[3].area == 4
    assert masklet.scores == {3: 0.9, 4: 0.5}
    masklet.clear(3)
    masklet.clear(3)
    assert list(masklet.masks) == list(masklet.scores) == [4]
