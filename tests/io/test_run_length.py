"""COCO's run-length code: against codes made by hand, and a round trip."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.errors import StorageError
from napari_sam2.io.run_length import decode_mask, encode_mask


def encode(mask: np.ndarray) -> dict[str, object]:
    """The inverse, written down from the description of the format."""
    flat = np.concatenate(([False], mask.T.ravel()))
    borders = np.flatnonzero(np.diff(flat.astype(np.int8))) + 0
    runs = np.diff(np.concatenate(([0], borders, [mask.size]))).tolist()
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            piece = value & 0x1F
            value >>= 5
            more = value != -1 if piece & 0x10 else value != 0
            text += chr((piece | 0x20 if more else piece) + 48)
    return {"size": list(mask.shape), "counts": text}


def test_by_hand() -> None:
    # Down the columns: two of ground, three inside, one of ground.
    expected = np.array([[False, True], [False, True], [True, False]])
    assert np.array_equal(decode_mask({"size": [3, 2], "counts": "231"}), expected)
    assert np.array_equal(decode_mask({"size": [3, 2], "counts": [2, 3, 1]}), expected)


def random_mask(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = np.zeros((90, 70), bool)
    for _ in range(6):
        y, x = rng.integers(0, 60, 2)
        mask[y : y + rng.integers(1, 40), x : x + rng.integers(1, 40)] ^= True
    return mask | (rng.random(mask.shape) < 0.02)


MASKS = [np.zeros((4, 5), bool), np.ones((4, 5), bool), *map(random_mask, range(5))]


@pytest.mark.parametrize("mask", MASKS)
def test_round_trip(mask: np.ndarray) -> None:
    assert np.array_equal(decode_mask(encode(mask)), mask)
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
@pytest.mark.parametrize("mask", MASKS)
def test_the_code_is_that_of_the_library(mask: np.ndarray) -> None:
    library = pytest.importorskip("pycocotools.mask", reason="needs pycocotools")
    wanted = library.encode(np.asfortranarray(mask.astype(np.uint8)))
    code = encode_mask(mask)
    assert (code["size"], code["counts"].encode()) == (wanted["size"], wanted["counts"])
    assert np.array_equal(library.decode(code) > 0, mask)


@pytest.mark.parametrize(
    "code",
    [
        {"size": [3, 2], "counts": "23"},
        {"size": [3, 2], "counts": "23o"},
        {"size": [3, 2]},
        {"size": [3], "counts": "6"},
        {"size": [3, 2], "counts": [8, -2]},
    ],
)
def test_damage(code: dict[str, object]) -> None:
    with pytest.raises(StorageError, match="run-length"):
        decode_mask(code)
