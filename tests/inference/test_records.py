"""Remembered tensors under a budget: what leaves memory comes back bit for bit."""

from __future__ import annotations

import errno
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_sam2.errors import StorageError
from napari_sam2.inference.records import RecordStore
from napari_sam2.model.values import MaskPrediction

KILO = 1024


def block(number: int, dtype: torch.dtype = torch.float32, nbytes: int = KILO) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(nbytes // dtype.itemsize, generator=generator).to(dtype)


def equal_bits(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.view(torch.uint8), b.view(torch.uint8))


@pytest.fixture
def store() -> Iterator[Callable[[int], RecordStore]]:
    made = []

    def make(budget: int) -> RecordStore:
        made.append(RecordStore(budget))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("budget", [0, 1, KILO, 3 * KILO + 5, 10 * KILO])
def test_the_budget_is_kept_and_everything_comes_back(store: Any, budget: int) -> None:
    records = store(budget)
    keys = []
    for number in range(10):
        keys.append(records.put(block(number)))
        assert records.resident_bytes <= budget
    for number in (0, 9, 3, 3, 0, 5):
        (found,) = records.get(keys[number])
        assert equal_bits(found, block(number))
        assert records.resident_bytes <= budget
    assert records.resident_bytes == min(budget, 10 * KILO) // KILO * KILO


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_bits_survive_the_disk(store: Any, dtype: torch.dtype) -> None:
    special = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-40, 3.0], dtype=dtype)
    odd = block(1, dtype, 7 * dtype.itemsize)
    square = torch.arange(12, dtype=dtype).reshape(1, 3, 4).transpose(1, 2)
    records = store(0)
    key = records.put(odd, square, special)
    assert records.resident_bytes == 0
    for found, given in zip(records.get(key), (odd, square.contiguous(), special), strict=True):
        assert equal_bits(found, given)


def test_the_least_recently_used_goes_first(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    records = store(3 * KILO)
    a, b, c = (records.put(block(n)) for n in range(3))
    records.get(a)
    d = records.put(block(3))
    reads = []
    original = RecordStore._read
    monkeypatch.setattr(RecordStore, "_read", lambda self, place: reads.append(1) or original(self, place))
    for key in (a, c, d):
        records.get(key)
    assert not reads
    assert equal_bits(records.get(b)[0], block(1))
    assert len(reads) == 1


def test_what_was_spilled_once_is_not_written_again(store: Any) -> None:
    records = store(0)
    keys = [records.put(block(n)) for n in range(4)]
    assert records.spilled_bytes == 4 * KILO
    for key in keys * 3:
        records.get(key)
    assert records.spilled_bytes == records._file.seek(0, 2) == 4 * KILO


def test_dropped_space_is_used_again(store: Any) -> None:
    records = store(0)
    keys = [records.put(block(n)) for n in range(4)]
    for number in range(4, 50):
        records.drop(keys.pop(0))
        keys.append(records.put(block(number)))
    assert records.spilled_bytes == records._file.seek(0, 2) == 4 * KILO
    for key, number in zip(keys, range(46, 50), strict=True):
        assert equal_bits(records.get(key)[0], block(number))


def test_what_was_given_out_is_nobody_s_buffer(store: Any) -> None:
    records = store(2 * KILO)
    key = records.put(block(0))
    (before,) = records.get(key)
    kept = before.clone()
    for number in range(1, 8):  # the first one leaves, and its buffer is used again
        records.put(block(number))
    assert torch.equal(before, kept)
    (again,) = records.get(key)
    for number in range(8, 15):
        records.put(block(number))
    assert torch.equal(again, kept)


def test_a_full_store_asks_for_no_more_memory(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    records = store(2 * KILO)
    for number in range(4):
        records.put(block(number))

    def none_left(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(torch, "empty", none_left)
    key = records.put(block(5))
    monkeypatch.undo()
    assert torch.equal(records.get(key)[0], block(5))


def test_drop_gives_memory_back_and_forgets(store: Any) -> None:
    records = store(10 * KILO)
    key, other = records.put(block(0)), records.put(block(1))
    records.drop(key)
    assert records.resident_bytes == KILO
    with pytest.raises(KeyError):
        records.get(key)
    records.drop(key)
    assert equal_bits(records.get(other)[0], block(1))


def test_a_row_does_not_keep_its_batch_alive(store: Any) -> None:
    records = store(2**20)
    batch = torch.zeros(100, KILO)
    (kept,) = records.get(records.put(batch[3:4]))
    assert kept.untyped_storage().nbytes() == kept.nbytes
    batch[3] = 1
    assert not kept.any()


def test_records_have_three_parts(store: Any) -> None:
    records = store(0)
    prediction = MaskPrediction(
        torch.randn(1, 1, 4, 4),
        torch.rand(1, 1),
        torch.randn(1, 1),
        torch.randn(1, 1, 8).bfloat16(),
    )
    bare = records.put_prediction(prediction)
    key = replace(bare, features=records.put(torch.ones(1, 2, 3, 3)))
    found = records.prediction(key, torch.device("cpu"))
    for part in ("logits", "iou", "object_score", "pointer"):
        assert equal_bits(getattr(found, part), getattr(prediction, part)), part
    assert equal_bits(records.get(key.features)[0], torch.ones(1, 2, 3, 3))
    records.drop_record(key)
    with pytest.raises(KeyError):
        records.prediction(key, torch.device("cpu"))
    assert bare.features is None
    records.drop_record(bare)


def test_close_forgets_and_the_store_can_be_used_again(store: Any) -> None:
    records = store(0)
    key = records.put(block(0))
    file = records._file
    records.close()
    assert file.closed
    assert records.resident_bytes == 0
    with pytest.raises(KeyError):
        records.get(key)
    again = records.put(block(1))
    assert again != key
    assert equal_bits(records.get(again)[0], block(1))


def test_the_file_goes_with_the_store() -> None:
    records = RecordStore(0)
    records.put(block(0))
    file = records._file
    assert file is not None and not file.closed
    del records
    assert file.closed


def test_a_folder_without_room_warns_once_and_all_stays_in_memory(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    records = store(KILO)
    first = records.put(block(0))
    with pytest.warns(RuntimeWarning, match="No space left on device.*stay in memory.*TMPDIR") as seen:
        second = records.put(block(1))
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        third = records.put(block(2))
    assert records.resident_bytes == 3 * KILO
    for number, key in enumerate((first, second, third)):
        assert equal_bits(records.get(key)[0], block(number))


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel itself refuses to let any file of this process grow beyond `size`."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_loses_nothing(store: Any) -> None:
    records = store(KILO)
    keys = [records.put(block(n, nbytes=KILO)) for n in range(3)]  # two on disk, one in memory
    # Half a block still fits: it is written in part, then refused.
    with files_no_larger_than(2 * KILO + KILO // 2), pytest.warns(RuntimeWarning, match="cannot be moved"):
        keys.append(records.put(block(3)))
        keys.append(records.put(block(4)))
        for number in (0, 1, 2, 3, 4, 0):
            assert equal_bits(records.get(keys[number])[0], block(number))
    keys.append(records.put(block(5)))
    for number, key in enumerate(keys):
        assert equal_bits(records.get(key)[0], block(number))


def test_a_file_cut_short_is_an_error_in_words(store: Any) -> None:
    records = store(0)
    key = records.put(block(0))
    records._file.truncate(KILO // 2)
    with pytest.raises(StorageError, match="was cut short: start the tracking again"):
        records.get(key)
