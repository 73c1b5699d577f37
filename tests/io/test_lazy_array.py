"""A lazy array is indexed as numpy would, and reads nothing else."""

import dask.array
import numpy as np
import pytest

from napari_sam2.errors import StorageError
from napari_sam2.io.lazy_array import LazyArray, by_planes

ARRAY = np.arange(4 * 3 * 6 * 5, dtype=">i4").reshape(4, 3, 6, 5)


def lazy():
    read = []

    def plane(i):
        read.append(i)
        return ARRAY.reshape(12, 6, 5)[i]

    return LazyArray("a", ARRAY.shape, ARRAY.dtype, by_planes((4, 3), plane)), read


@pytest.mark.parametrize(
    "key",
    [
        np.s_[...],
        np.s_[1],
        np.s_[-1, 2],
        np.s_[1, 2, 3, 4],
        np.s_[np.int64(2)],
        np.s_[:, 1],
        np.s_[1:3, ::2, 2:4, ::-1],
        np.s_[::-2, 0],
        np.s_[..., 2],
        np.s_[0, ..., 1:],
        np.s_[2:2],
        np.s_[:, 3:1, 0],
        np.s_[0, 0, :, 4:0:-3],
    ],
)
def test_indexing_is_that_of_numpy(key):
    part = lazy()[0][key]
    assert part.dtype == np.dtype("i4")
    assert part.shape == ARRAY[key].shape
    assert np.array_equal(part, ARRAY[key])


def test_only_the_planes_that_are_named_are_read():
    array, read = lazy()
    _ = array[2, 1:, 3, 2]
    assert read == [7, 8]


@pytest.mark.parametrize("key", [np.s_[4], np.s_[-5], np.s_[0, 0, 0, 0, 0], np.s_[..., 0, ...]])
def test_places_that_are_not_there(key):
    with pytest.raises(IndexError, match=r"a has .*\(4, 3, 6, 5\)"):
        lazy()[0][key]


@pytest.mark.parametrize("key", [[0, 1], None, 1.0, "T"])
def test_indices_of_another_kind(key):
    with pytest.raises(IndexError, match=r"whole numbers and slices.*read first"):
        lazy()[0][key]


def test_it_is_an_array_to_numpy():
    array, _ = lazy()
    assert (array.ndim, array.size, len(array)) == (4, 360, 4)
    assert np.array_equal(np.asarray(array), ARRAY)
    assert np.asarray(array, dtype=float).dtype == float


def test_it_is_an_array_to_dask():
    array, read = lazy()
    turned = dask.array.from_array(array, chunks=(1, 1, -1, -1)).transpose(1, 0, 2, 3)
    read.clear()  # dask may look at the type of a part of no size
    assert np.array_equal(turned[1, 2].compute(), ARRAY[2, 1])
    assert read == [7]


def test_axes_can_be_left_out_and_closing_goes_through():
    closed = []
    whole = LazyArray("a", ARRAY.shape, ARRAY.dtype, lambda place: ARRAY[place], lambda: closed.append(1))
    part = whole.without((0, 2))
    assert part.shape == (3, 5)
    assert np.array_equal(part[1:], ARRAY[0, 1:, 0])
    assert whole.without(()) is whole
    part.close()
    part.close()
    assert closed == [1]
    for array in (whole, part):
        with pytest.raises(StorageError, match="a is closed: open it again"):
            array[0]
