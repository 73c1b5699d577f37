"""Corrected frames as material to learn from."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.training.corrected import held_back, split_corrected
from napari_sam2.training.recordings import Kind
from napari_sam2.training.sources import LabelledFrame


def frames(count: int, size: int = 40) -> list[LabelledFrame]:
    found = []
    for t in range(count):
        labels = np.zeros((size, 48), np.uint32)
        labels[5:20, 5 : 20 + t], labels[25:35, 5:20] = 100_000, 7
        image = np.random.default_rng(t).integers(0, 255, labels.shape).astype(np.uint8)
        found.append(LabelledFrame(f"frame {t}", image, labels))
    return found


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(2, 0.25, (1,)), (3, 0.3, (1,)), (8, 0.25, (2, 6)), (5, 0.01, (2,)), (4, 1.0, (0, 2, 3))],
)
def test_some_are_held_back_and_some_are_left(count: int, share: float, expected: tuple[int, ...]) -> None:
    assert held_back(count, share) == expected


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_are_said(count: int) -> None:
    with pytest.raises(ImageError, match=f"There are {count}"):
        split_corrected(frames(count))


def test_frames_become_stills_and_a_clip() -> None:
    given = frames(5)
    data = split_corrected(given)
    assert data.chosen == 4
    assert [frame.name for frame in data.held] == ["frame 2"]
    assert [still.kind for still in data.stills] == [Kind.STILL] * 4
    (clip,) = data.clips
    assert clip.kind is Kind.TRACKED
    assert clip.labels.shape == (4, 40, 48)
    # 100000 does not fit into 16 bits; objects keep one number through the clip.
    assert [set(np.unique(labels)) for labels in clip.labels] == [{0, 1, 2}] * 4
    assert [int((labels == 2).sum()) for labels in clip.labels] == [15 * (15 + t) for t in (0, 1, 3, 4)]


def test_two_frames_are_enough_for_stills() -> None:
    data = split_corrected(frames(2))
    assert (len(data.stills), len(data.clips), len(data.held)) == (1, 0, 1)


def test_frames_of_several_sizes_are_said() -> None:
    with pytest.raises(ImageError, match="one size"):
        split_corrected([*frames(2), *frames(1, 44)])
