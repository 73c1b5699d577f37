from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import ImageError, Sam2Error
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference.focus import Window
from napari_sam2.inference.found_masks import FoundMask
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.matching import match, overlaps
from napari_sam2.inference.track_everything import TrackEverything
from napari_sam2.inference.track_everything_policy import TrackEverythingPolicy
from napari_sam2.io.checkpoints import load_model
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click

SHAPE = (64, 64)
Squares = Sequence[tuple[int, int, int]]


class Script:
    """Finds on each frame the squares (y, x, side) that are written down for it."""

    def __init__(self, frames: Sequence[Squares]) -> None:
        self.frames = list(frames)
        self.asked = 0

    def segment(self, image: Any, intensity: Any = None) -> list[FoundMask]:
        number = int(image[0, 0])
        self.asked += 1
        whole = Window(0, 0, *SHAPE)
        return [
            FoundMask(
                RunLengths.encode(np.ones((side, side), bool)),
                Window(y, x, y + side, x + side),
                0.9,
                1.0,
                Click(y, x),
                whole,
            )
            for y, x, side in self.frames[number]
        ]


def movie(length: int) -> np.ndarray:
    """Noise; the first pixel is the frame's number."""
    frames = np.random.default_rng(0).integers(100, 200, (length, *SHAPE), dtype=np.uint8)
    frames[:, 0, 0] = range(length)
    return frames


class Still:
    """What is tracked stays where it was anchored last, until it is told to be lost."""

    def __init__(self, tracker: TrackEverything, lost: dict[int, int] | None = None) -> None:
        self.masks: dict[int, np.ndarray] = {}
        self.lost = lost or {}
        inner = tracker._tracker
        prompt, remove = inner.prompt, inner.remove

        def prompted(state: Any, frame: int, number: int, mask: np.ndarray) -> Any:
            self.masks[number] = mask
            return prompt(state, frame, number, mask=mask)

        def removed(state: Any, number: int) -> Any:
            self.masks.pop(number)
            return remove(state, number)

        inner.prompt, inner.remove = prompted, removed  # type: ignore[method-assign, assignment]

        def carried(state: Any, frame: int) -> np.ndarray:
            labels = np.zeros(SHAPE, np.uint32)
            for number, mask in self.masks.items():
                if frame < self.lost.get(number, 10**6):
                    labels[mask] = number
            return labels

        tracker._carried = carried  # type: ignore[method-assign]


def run(
    model: SAM2, frames: Sequence[Squares], lost: dict[int, int] | None = None, **policy: Any
) -> tuple[TrackEverything, np.ndarray]:
    script = Script(frames)
    tracker = TrackEverything(model, TrackEverythingPolicy(**policy), script)  # type: ignore[arg-type]
    Still(tracker, lost)
    return tracker, np.stack([one.labels for one in tracker.follow(movie(len(frames)))])


def test_what_is_found_again_keeps_its_number(small_model: SAM2) -> None:
    frames = [[(10 + t, 10, 12), (40, 40 - t, 10)] for t in range(4)]
    tracker, labels = run(small_model, frames)
    for t, ((y, x, side), (v, u, width)) in enumerate(frames):
        expected = np.zeros(SHAPE, int)
        expected[y : y + side, x : x + side], expected[v : v + width, u : u + width] = 1, 2
        assert (labels[t] == expected).all()
    assert [(life.first, life.last, life.parent) for life in tracker.lives.all.values()] == [(0, 3, 0)] * 2


def test_new_objects_begin_where_they_come_and_are_looked_for_every_few_frames(small_model: SAM2) -> None:
    old, new = (10, 10, 12), (40, 40, 10)
    frames = [[old], [old, new], [old, new], [old, new]]
    tracker, labels = run(small_model, frames)
    assert [sorted(set(np.unique(one)) - {0}) for one in labels] == [[1], [1, 2], [1, 2], [1, 2]]
    assert tracker.lives.all[2].first == 1
    tracker, labels = run(small_model, frames, every=2)
    assert tracker._find.asked == 2  # type: ignore[union-attr]
    assert tracker.lives.all[2].first == 2
    assert (labels[1] == labels[0]).all()


def test_parts_of_what_is_tracked_are_nothing_new(small_model: SAM2) -> None:
    frames = [[(10, 10, 20)], [(10, 10, 20), (12, 12, 8)]]
    tracker, _ = run(small_model, [frames[0], [(12, 12, 8)]])
    assert len(tracker.lives.all) == 1
    tracker, labels = run(small_model, [[(10, 10, 20)], [(28, 10, 20)]], covered=0.05)
    assert len(tracker.lives.all) == 1
    assert (labels[1] == labels[0]).all()


def test_lost_ones_end(small_model: SAM2) -> None:
    one = (10, 10, 12)
    tracker, labels = run(small_model, [[one], [one], [], [], [], []], lost={1: 2}, doubted_after=9)
    assert [bool(frame.any()) for frame in labels] == [True, True, False, False, False, False]
    assert tracker.lives.living == set()
    assert tracker.lives.all[1].last == 1


def test_what_is_tracked_but_never_found_ends(small_model: SAM2) -> None:
    one = (10, 10, 12)
    tracker, labels = run(small_model, [[one], [one], [], [], [], []], doubted_after=2)
    assert [bool(frame.any()) for frame in labels] == [True, True, True, True, False, False]
    assert tracker.lives.all[1].last == 3


def test_a_division(small_model: SAM2) -> None:
    mother, pair = (20, 20, 16), [(16, 22, 11), (30, 22, 11)]
    tracker, labels = run(small_model, [[mother]] * 3 + [pair] * 3)
    assert tracker.lives.parents == {2: 1, 3: 1}
    assert tracker.lives.all[1].last == 2
    assert [tracker.lives.all[n].first for n in (2, 3)] == [3, 3]
    assert [sorted(set(np.unique(one)) - {0}) for one in labels[3:]] == [[2, 3]] * 3
    young, _ = run(small_model, [[mother]] * 2 + [pair])
    assert young.lives.parents == {}  # two frames are too few to tell a mother
    without, _ = run(small_model, [[mother]] * 3 + [pair] * 3, division=None)
    assert without.lives.parents == {}


def test_a_tracked_mask_that_comes_apart_divides_between_looks(small_model: SAM2) -> None:
    tracker = TrackEverything(small_model, TrackEverythingPolicy(every=9), Script([[(20, 20, 16)]] * 6))  # type: ignore[arg-type]
    still = Still(tracker)
    walk = tracker.follow(movie(6))
    for _ in range(4):
        next(walk)
    mask = np.zeros(SHAPE, bool)
    mask[20:28, 20:36] = mask[30:38, 20:36] = True
    still.masks[1] = mask
    labels = next(walk).labels
    assert sorted(np.unique(labels)) == [0, 2, 3]
    assert tracker.lives.parents == {2: 1, 3: 1}
    assert tracker.lives.all[1].last == 3


def test_what_is_found_gives_way_where_it_jumps(small_model: SAM2) -> None:
    whole, part, wider = (20, 20, 16), (20, 20, 9), (19, 19, 18)
    for renew, areas in ((0.7, (256, 324)), (0.0, (81, 324)), (1.1, (256, 256))):
        for second, area in zip((part, wider), areas, strict=True):
            _, labels = run(small_model, [[whole], [second]], renew=renew)
            assert [int((one == 1).sum()) for one in labels] == [256, area]


def test_neighbours_do_not_become_daughters(small_model: SAM2) -> None:
    frames = [[(20, 10, 12), (20, 30, 12)]] * 3 + [[(20, 12, 9), (20, 30, 12)]] * 2
    tracker, _ = run(small_model, frames)
    assert tracker.lives.parents == {}
    assert len(tracker.lives.all) == 2


def test_frames_without_anything(small_model: SAM2) -> None:
    frames = movie(3)
    frames[1] = 50
    tracker = TrackEverything(small_model)
    assert [one.labels.max() for one in tracker.follow(frames)] == [0, 0, 0]
    with pytest.raises(ImageError, match="nothing to segment"):
        tracker.follow(np.full((2, 64, 64), 7, np.uint8))
    broken = movie(2).astype(np.float32)
    walk = tracker.follow(broken)
    next(walk)
    broken[1, 5, 5] = np.nan
    with pytest.raises(ImageError, match="Frame 1"):
        next(walk)


@pytest.mark.parametrize("fields", [{"every": 0}, {"same": 0.0}, {"covered": 1.5}, {"least_area": 0}])
def test_senseless_policies(fields: dict[str, Any]) -> None:
    with pytest.raises(Sam2Error, match=next(iter(fields))):
        TrackEverythingPolicy(**fields)


def test_nano_follows_a_phantom() -> None:
    phantom = moving_nuclei(frames=4, height=96, width=96, objects=4, divisions=0, seed=5)
    model = load_model("nano", "cpu")
    tracker = TrackEverything(model, TrackEverythingPolicy(every=2))
    pairs = []
    for one in tracker.follow(phantom.images):
        table = overlaps(phantom.labels[one.frame], one.labels)
        pairs.append({int(table.rows[r]): int(table.columns[c]) for r, c in match(table.iou, 0.7).items()})
    assert all(pair == pairs[0] for pair in pairs[1:])
    assert len(pairs[0]) == 4
