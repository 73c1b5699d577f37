"""Cleaning, splitting and renumbering: one step each, for good, and the same when done again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.cleanup import CleanUp, clean
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.session import Session
from tests.session.conftest import contents, every_label
from tests.session.test_history import snapshot

Middle = Callable[[int, int], Click]


def disc(y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[:64, :72]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)


def ragged() -> np.ndarray:
    """A disc with a hole, and a crumb beside it."""
    mask = disc(30, 30, 10)
    mask[30, 30] = False
    mask[5:7, 60:62] = True
    return mask


def decoded(session: Session, number: int, frame: int) -> np.ndarray:
    return session.masks(number)[frame].runs.decode()


@pytest.fixture
def followed(session: Session, middle: Middle) -> Session:
    """Object 1 painted on frame 2 and clicked on frame 5, object 2 clicked on frame 0; both followed."""
    session.prompt(2, 1, mask=ragged())
    session.prompt(5, 1, clicks=[middle(5, 1)])
    session.prompt(0, 2, clicks=[middle(0, 2)])
    list(session.propagate())
    return session


@pytest.mark.parametrize("tool", CleanUp)
def test_every_mask_is_cleaned_and_undone_in_one_step(followed: Session, tool: CleanUp) -> None:
    before, steps = snapshot(followed), len(followed.steps)
    old = {(n, at): decoded(followed, n, at) for n in followed.objects for at in followed.masks(n)}
    changed = followed.clean(tool)
    wanted = {key: clean(mask, tool) for key, mask in old.items()}
    assert changed == sum(not np.array_equal(old[key], wanted[key]) for key in old)
    assert changed, "the scene gives every tool something to do"
    assert len(followed.steps) == steps + 1
    for (number, frame), mask in wanted.items():
        if number in followed.objects:
            assert np.array_equal(decoded(followed, number, frame), mask), (number, frame)
        else:
            assert not mask.any()
    assert followed.undo() is not None
    assert snapshot(followed) == before
    followed.redo()
    for (number, frame), mask in wanted.items():
        if number in followed.objects:
            assert np.array_equal(decoded(followed, number, frame), mask)
    assert followed.clean(tool) == 0 or tool is CleanUp.SMOOTH, "once is enough"


def test_a_cleaned_prompt_outlives_following_and_is_followed(
    session: Session, network: SAM2, scene: Phantom
) -> None:
    apart = disc(20, 16, 9) | disc(44, 54, 8)
    session.prompt(2, 1, mask=apart)
    list(session.propagate())
    assert session.clean("keep largest", [1]) >= 1
    assert session.masks(1)[2].painted
    assert not session.masks(1)[3].painted, "what following found is not held to"
    kept = decoded(session, 1, 2)
    assert np.array_equal(kept, disc(20, 16, 9))
    list(session.propagate())
    assert np.array_equal(decoded(session, 1, 2), kept)
    straight = Session(scene.images, network)
    straight.prompt(2, 1, mask=kept)
    straight.prompt(2, 2, mask=apart)
    list(straight.propagate())
    for frame in (3, 7):
        assert np.array_equal(decoded(session, 1, frame), decoded(straight, 1, frame)), "as if painted so"
    assert not np.array_equal(decoded(straight, 1, 3), decoded(straight, 2, 3))


def test_a_click_that_is_cleaned_becomes_a_painted_mask(session: Session, middle: Middle) -> None:
    found = session.prompt(1, 1, clicks=[middle(1, 1)])
    assert session.clean("smooth", size=3) == 1
    prompt = session.prompts(1)[1]
    assert prompt.mask is not None and not prompt.clicks
    assert np.array_equal(decoded(session, 1, 1), clean(found, CleanUp.SMOOTH, 3))
    session.undo()
    assert session.prompts(1)[1].clicks == (middle(1, 1),)


def test_only_the_named_objects_frames_and_sizes(followed: Session) -> None:
    before = contents(followed)
    assert followed.clean("fill holes", [1], [2], size=1) == 1
    after = contents(followed)
    assert {key for key in before if before[key] != after[key]} == {(1, 2)}
    assert followed.masks(1)[2].runs.area == int(ragged().sum()) + 1
    assert followed.clean("remove small", [1], [2], size=4) == 0, "the crumb has four pixels"
    assert followed.clean("remove small", [1], [2], size=5) == 1
    assert followed.masks(1)[2].runs.area == int(disc(30, 30, 10).sum())


def test_what_is_hidden_or_committed_is_left_alone(session: Session) -> None:
    for number in (1, 2, 3):
        session.prompt(0, number, mask=ragged())
    session.hide(1)
    session.commit(2)
    assert session.clean("keep largest") == 1
    assert [session.masks(n)[0].runs.area == int(ragged().sum()) for n in (1, 2, 3)] == [True, True, False]
    assert session.clean("keep largest", [1]) == 1
    with pytest.raises(PromptError, match="committed"):
        session.clean("keep largest", [2])


def test_an_object_of_which_nothing_is_left_is_forgotten(session: Session) -> None:
    session.prompt(0, 1, mask=disc(30, 30, 3))
    session.prompt(1, 1, mask=disc(30, 30, 8))
    session.prompt(0, 2, mask=disc(10, 50, 3))
    before = snapshot(session)
    session.clean("remove small", size=60)
    assert list(session.objects) == [1]
    assert list(session.prompts(1)) == [1], "a prompt whose mask is emptied is taken back"
    assert not decoded(session, 1, 0).any()
    list(session.propagate(direction="backward"))
    session.undo()
    session.undo()
    assert snapshot(session) == before


def test_a_daughter_of_which_nothing_is_left_stays_in_the_tree(session: Session) -> None:
    session.prompt(0, 1, mask=disc(30, 30, 8))
    session.divide(1, 1, [2, 3], [disc(20, 30, 3), disc(40, 30, 8)])
    session.clean("remove small", size=60)
    assert set(session.objects) == {1, 2, 3}
    assert set(session.lineage) == {2, 3}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("polish",), "The tools are 'fill holes'"),
        (("smooth", [9]), "no object 9"),
        (("smooth", None, [8]), "no frame 8"),
        (("remove small", None, None, -1), "size of 0 or more"),
    ],
)
def test_cleaning_that_makes_no_sense(followed: Session, arguments: tuple[Any, ...], words: str) -> None:
    before = snapshot(followed)
    with pytest.raises(PromptError, match=words):
        followed.clean(*arguments)
    assert snapshot(followed) == before


def test_nothing_to_clean_is_no_step(session: Session) -> None:
    session.prompt(0, 1, mask=disc(30, 30, 8))
    session.rename(1, "one")
    session.undo()
    assert session.clean("fill holes") == 0
    assert session.can_redo, "nothing was done since"


def two_cells() -> np.ndarray:
    return disc(30, 20, 9) | disc(30, 38, 8)


def test_a_split_makes_two_objects_that_are_followed(session: Session) -> None:
    session.prompt(2, 1, mask=two_cells())
    list(session.propagate())
    whole = decoded(session, 1, 4)
    before = snapshot(session)
    assert session.split(2, 1, [(10, 29), (50, 29)]) == (2,)
    one, other = (decoded(session, number, 2) for number in (1, 2))
    assert np.array_equal(one | other, two_cells())
    assert not (one & other).any()
    assert (bool(one[30, 20]), bool(other[30, 38])) == (True, True), "the larger one stays the object"
    assert session.masks(1)[2].painted and session.masks(2)[2].painted
    assert np.array_equal(decoded(session, 1, 4), whole), "elsewhere it is whole until it is followed"
    list(session.propagate(start=2))
    assert sorted(session.masks(2)) == list(range(2, 8))
    assert np.array_equal(decoded(session, 2, 2), other)
    session.undo()
    session.undo()
    assert snapshot(session) == before


def test_a_split_takes_the_numbers_it_is_given(session: Session) -> None:
    session.prompt(0, 1, mask=two_cells())
    session.add(object_id=5)
    before = snapshot(session)
    for others, words in (([5], "object 5 already"), ([2, 3], "makes 2 parts"), ([0], "from 1 on")):
        with pytest.raises(PromptError, match=words):
            session.split(0, 1, [(10, 29), (50, 29)], others)
        assert snapshot(session) == before
    assert session.split(0, 1, [(10, 29), (50, 29)]) == (6,)
    assert session.split(0, 6, [(10, 38), (50, 38)], [9]) == (9,)


@pytest.mark.parametrize(
    ("frame", "number", "stroke", "words"),
    [
        (0, 1, [(0, 60), (9, 60)], "does not cut"),
        (1, 1, [(10, 29), (50, 29)], "no mask on frame 1"),
        (0, 7, [(10, 29), (50, 29)], "no object 7"),
        (9, 1, [(10, 29), (50, 29)], "no frame 9"),
        (0, 2, [(10, 29), (50, 29)], "committed"),
    ],
)
def test_splits_that_make_no_sense(
    session: Session, frame: int, number: int, stroke: list[tuple[float, float]], words: str
) -> None:
    session.prompt(0, 1, mask=two_cells())
    session.prompt(0, 2, mask=two_cells())
    session.commit(2)
    before = snapshot(session)
    with pytest.raises(PromptError, match=words):
        session.split(frame, number, stroke)
    assert snapshot(session) == before


def test_renumbering_moves_everything(followed: Session) -> None:
    followed.divide(4, 2, [7, 9])
    followed.rename(7, "Anna")
    before = snapshot(followed)
    labels = every_label(followed)
    assert followed.relabel({1: 2, 2: 1, 9: 3}) == {1: 2, 2: 1, 9: 3}
    assert {key: row.name for key, row in followed.objects.items()} == {
        1: "Object 1",
        2: "Object 2",
        3: "Object 3",
        7: "Anna",
    }
    assert {key: one.mother for key, one in followed.lineage.items()} == {7: 1, 3: 1}
    assert list(followed.prompts(2)) == [2, 5]
    moved = every_label(followed)
    assert np.array_equal(moved > 0, labels > 0)
    assert np.array_equal((moved == 2)[0], (labels == 1)[0])
    followed.undo()
    assert snapshot(followed) == before
    followed.redo()
    assert np.array_equal(every_label(followed), moved)


def test_a_renumbered_object_is_followed_as_before(followed: Session, scene: Phantom, network: SAM2) -> None:
    followed.relabel({1: 5})
    list(followed.propagate([5], start=2))
    followed.prompt(6, 5, clicks=[Click(30, 30)])
    list(followed.propagate([5], start=6))
    straight = Session(scene.images, network)
    for step in followed.steps[:4]:
        straight.repeat(step)
    list(straight.propagate([1], start=2))
    straight.prompt(6, 1, clicks=[Click(30, 30)])
    list(straight.propagate([1], start=6))
    for frame, mask in straight.masks(1).items():
        assert np.array_equal(mask.runs.decode(), decoded(followed, 5, frame)), frame


def test_by_default_the_gaps_close_round_what_is_committed(session: Session) -> None:
    for number in (3, 4, 8, 9):
        session.add(object_id=number)
    session.commit(4)
    session.commit(8)
    assert session.relabel() == {3: 1, 9: 2}
    assert sorted(session.objects) == [1, 2, 4, 8]
    steps = len(session.steps)
    assert session.relabel() == {}
    assert len(session.steps) == steps


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({1: 2}, "object 2 already"),
        ({1: 5, 2: 5}, "of its own"),
        ({9: 1}, "no object 9"),
        ({1: 0}, "from 1 on"),
        ({3: 5}, "committed"),
    ],
)
def test_numbers_that_make_no_sense(session: Session, numbers: dict[int, int], words: str) -> None:
    for number in (1, 2, 3):
        session.add(object_id=number)
    session.commit(3)
    before = snapshot(session)
    with pytest.raises(PromptError, match=words):
        session.relabel(numbers)
    assert snapshot(session) == before


def test_renumbering_gives_up_what_was_stopped(session: Session, middle: Middle) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    session.prompt(0, 2, clicks=[middle(0, 2)])
    with closing(session.propagate([1])) as run:
        next(run)
    assert session.unfinished is not None
    session.relabel({1: 2, 2: 1})
    assert session.unfinished is None, "it would go on with the other object"


def tidied(session: Session, middle: Middle) -> None:
    session.prompt(0, 1, mask=two_cells())
    session.prompt(0, 2, clicks=[middle(0, 3)])
    list(session.propagate())
    session.split(0, 1, [(10, 29), (50.5, 29)])
    list(session.propagate())
    session.clean("smooth", size=1.5)
    session.clean("fill holes", [1, 2])
    session.clean("remove small", [2], [3, 4, 5], 6)
    session.relabel({1: 8})
    list(session.propagate(direction="backward", start=5))


def test_the_script_and_the_steps_do_the_same(
    session: Session, middle: Middle, scene: Phantom, network: SAM2
) -> None:
    tidied(session, middle)
    assert {type(step).__name__ for step in session.steps} >= {"Split", "Clean", "Relabel"}
    names: dict[str, Any] = {"image": scene.images, "model": network}
    exec(compile(session.script(), "script", "exec"), names)
    assert contents(names["session"]) == contents(session)
    assert names["session"].script() == session.script()
    again = session.fresh()
    for step in session.steps:
        again.repeat(step)
    assert np.array_equal(every_label(again), every_label(session))


def test_saved_loaded_and_gone_on_with(
    session: Session, middle: Middle, scene: Phantom, network: SAM2, tmp_path: Path
) -> None:
    session.autosave(tmp_path / "auto.json")
    tidied(session, middle)
    session.close()
    kept = Session.load(tmp_path / "auto.json", frames=scene.images, model=network)
    loaded = Session.load(session.save(tmp_path / "a.json"), frames=scene.images, model=network)
    for one in (kept, loaded):
        assert snapshot(one)[:-1] == snapshot(session)[:-1]
        assert one.script() == session.script()
    for one in (kept, loaded, session):  # what the network remembered is back as well
        one.prompt(4, 8, clicks=[middle(4, 2)])
        list(one.propagate())
    assert contents(kept) == contents(loaded) == contents(session)
