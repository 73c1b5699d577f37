"""A mask that falls into two may be a division."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import Phantom, moving_nuclei
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.objects import FrameMask
from napari_sam2.session.session import Session
from napari_sam2.session.suggestion import suggest_divisions
from tests.session.conftest import contents
from tests.session.test_history import snapshot

Middle = Callable[[int, int], Click]

# Each letter is one frame: a mask of 20 columns of 10 pixels.
FRAMES = {
    "O": [(0, 20)],
    "=": [(0, 9), (11, 20)],
    "<": [(0, 5), (7, 20)],
    "-": [(0, 4), (7, 20)],
    "3": [(0, 6), (7, 13), (14, 20)],
    "c": [(0, 18), (19, 19.5)],
    ":": [(0, 9), (10, 10.5), (11, 20)],
    "i": [(0, 2), (4, 20)],
    " ": [],
}


def masks(story: str) -> dict[int, FrameMask]:
    found = {}
    for frame, letter in enumerate(story):
        if letter == "_":
            continue
        mask = np.zeros((12, 24), bool)
        for start, stop in FRAMES[letter]:
            # Half a column is a piece of five pixels: less than a twentieth of two hundred.
            mask[1:11, int(start) : int(stop)] = True
            if stop % 1:
                mask[1:6, int(stop)] = True
        found[frame] = FrameMask(RunLengths.encode(mask))
    return found


@pytest.mark.parametrize(
    ("story", "frames"),
    [
        ("OOO==", [3]),
        ("OOO=", []),
        ("OO=O=O=O", []),
        ("OO==OO==", [2, 6]),
        ("O<<", [1]),
        ("O--", []),
        ("O=-", []),
        ("O33", []),
        ("O=3", []),
        ("OO::", [2]),
        ("Occ==", [3]),
        ("i==", []),
        ("==", []),
        ("", []),
        ("O ==", []),
        ("O_==", []),
        ("O=_=", []),
        ("  O==", [3]),
    ],
)
def test_when_a_mask_speaks_of_a_division(story: str, frames: list[int]) -> None:
    assert [found.frame for found in suggest_divisions(7, masks(story))] == frames


def test_what_is_suggested() -> None:
    story = masks("OO<<<")
    (found,) = suggest_divisions(7, story)
    assert (found.frame, found.mother) == (2, 7)
    large, small = (piece.decode() for piece in found.pieces)
    assert np.array_equal(large | small, story[2].runs.decode())
    assert (large.sum(), small.sum()) == (130, 50)
    assert found.balance == 50 / 130
    del story[2]
    assert not suggest_divisions(7, story), "nothing is known of the frame on which it happened"


def test_true_divisions_are_found_and_nothing_else() -> None:
    movie = moving_nuclei(20, 192, 192, objects=8, divisions=3, radius=11.0, seed=4)
    children: dict[int, list[int]] = {}
    for daughter, mother in movie.parents.items():
        children.setdefault(mother, []).append(daughter)
    assert len(children) == 3
    for label in set(np.unique(movie.labels[0]).tolist()) - {0}:
        family = [label, *children.get(label, [])]
        whole = np.isin(movie.labels, family)
        # Daughters appear side by side: a line of background keeps the truth of touching ones apart.
        for daughter in children.get(label, [])[:1]:
            grown = movie.labels == daughter
            for axis in (1, 2):
                grown = grown | np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
            whole &= ~(grown & np.isin(movie.labels, children[label][1:]))
        story = {frame: FrameMask(RunLengths.encode(mask)) for frame, mask in enumerate(whole)}
        born = [int(np.argmax((movie.labels == one).any((1, 2)))) for one in children.get(label, [])[:1]]
        assert [found.frame for found in suggest_divisions(label, story)] == born


@pytest.fixture
def split(session: Session, middle: Middle) -> Session:
    """Object 1 falls into two on frame 4; object 2 does not."""
    session.prompt(0, 2, clicks=[middle(0, 2)])
    for frame in range(8):
        mask = np.zeros(session.shape, bool)
        mask[10:20, 10:40] = True
        if frame >= 4:
            mask[:, 24:27] = False
        session.prompt(frame, 1, mask=mask)
    return session


def test_accepting_is_one_step_that_can_be_undone_and_repeated(
    split: Session, scene: Phantom, network: SAM2, tmp_path: Path
) -> None:
    before = snapshot(split)
    (suggestion,) = split.suggested_divisions()
    assert (suggestion.frame, suggestion.mother) == (4, 1)
    assert split.accept_division(suggestion) == (3, 4)
    assert sorted(split.masks(1)) == [0, 1, 2, 3]
    assert {child: (d.mother, d.frame) for child, d in split.lineage.items()} == {3: (1, 4), 4: (1, 4)}
    for number, piece in zip((3, 4), suggestion.pieces, strict=True):
        assert np.array_equal(split.labels(4) == number, piece.decode())
        assert split.prompts(number)[4].mask is not None
    assert not split.suggested_divisions(), "it divides now"
    after = snapshot(split)
    split.undo()
    assert snapshot(split) == before
    split.redo()
    assert snapshot(split) == after
    list(split.propagate([3, 4]))
    assert sorted(split.masks(3)) == sorted(split.masks(4)) == [4, 5, 6, 7]
    loaded = Session.load(split.save(tmp_path / "a.json"), scene.images, network)
    again = split.fresh()
    for step in loaded.steps:
        again.repeat(step)
    names = {"image": scene.images, "model": network}
    exec(compile(split.script(), "script", "exec"), names)
    for other in (loaded, again, names["session"]):
        assert contents(other) == contents(split)
        assert other.lineage == split.lineage


def test_hidden_and_committed_objects_are_left_alone(split: Session) -> None:
    for act in (lambda: split.hide(1), lambda: split.commit(1)):
        act()
        assert not split.suggested_divisions()
        split.undo()
    assert split.suggested_divisions([2]) == ()
    assert len(split.suggested_divisions([1])) == 1
    with pytest.raises(PromptError, match="no object 9"):
        split.suggested_divisions([9])


def test_a_mask_for_each_daughter_or_none(split: Session) -> None:
    before = snapshot(split)
    full = np.ones(split.shape, bool)
    for masks, words in (([full], "1 masks came for 2"), ([full, ~full], "mask is empty")):
        with pytest.raises(PromptError, match=words):
            split.divide(4, 1, [3, 4], masks=masks)
        assert snapshot(split) == before
