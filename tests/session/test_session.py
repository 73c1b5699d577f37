"""The verbs of a session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Box, Click, MaskPrompt
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.region import Region
from napari_sam2.session.session import Session
from tests.session.conftest import LENGTH, contents, every_label

Middle = Callable[[int, int], Click]


def disc(y: int, x: int, radius: int, shape: tuple[int, int] = (64, 72)) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def go(session: Session, *args: object, **kwargs: object) -> list[int]:
    return [done.frame for done in session.propagate(*args, **kwargs)]


def test_click_and_follow(session: Session, middle: Middle) -> None:
    mask = session.prompt(2, 1, clicks=[middle(2, 1)])
    assert mask.any()
    assert np.array_equal(session.labels(2) == 1, mask)
    assert session.objects[1].name == "Object 1"
    assert go(session) == [2, 3, 4, 5, 6, 7]
    assert sorted(session.masks(1)) == [2, 3, 4, 5, 6, 7]
    assert go(session, direction="backward") == [2, 1, 0]
    assert sorted(session.masks(1)) == list(range(LENGTH))
    assert not session.unfinished


def test_follows_as_the_tracker_does(session: Session, network: SAM2, scene: Phantom, middle: Middle) -> None:
    from napari_sam2.inference.tracker import VideoTracker

    tracker = VideoTracker(network)
    state = tracker.start(scene.images)
    for number in (1, 2, 3):
        session.prompt(number, number, clicks=[middle(number, number)])
        tracker.prompt(state, number, number, clicks=[middle(number, number)])
    go(session)
    list(tracker.propagate(state))
    go(session, direction="backward")
    list(tracker.propagate(state, direction="backward"))
    session.prompt(4, 2, clicks=[middle(4, 3)])
    tracker.prompt(state, 4, 2, clicks=[middle(4, 3)], replace=False)
    go(session, start=4, stop=6)
    list(tracker.propagate(state, start=4, length=3))
    for number, track in state.objects.items():
        ours = session.masks(number)
        assert sorted(ours) == sorted(track.masklet.masks)
        for frame, runs in track.masklet.masks.items():
            assert np.array_equal(ours[frame].runs.decode(), runs.decode()), (number, frame)
            assert ours[frame].score == pytest.approx(track.masklet.scores[frame], abs=1e-6)


def test_clicks_join_or_replace(session: Session) -> None:
    a, b, c = Click(20, 20), Click(40, 40, positive=False), Click(30, 30)
    session.prompt(0, 1, clicks=[a])
    session.prompt(0, 1, clicks=[b])
    assert session.prompts(1)[0].clicks == (a, b)
    session.prompt(0, 1, clicks=[c], box=Box(10, 10, 50, 50), replace=True)
    assert session.prompts(1)[0].clicks == (c,)
    session.clear(0, 1)
    assert not session.prompts(1)
    assert not session.masks(1)
    with pytest.raises(PromptError, match="no prompt on frame 0"):
        session.clear(0, 1)


@pytest.mark.parametrize("wrap", [lambda mask: mask, MaskPrompt, lambda mask: mask.astype(np.uint8) * 255])
def test_painted_mask_stays_as_it_was_painted(session: Session, wrap: Callable[..., object]) -> None:
    painted = disc(20, 30, 6)
    painted[20, 30] = False  # a hole that filling would close
    session.prompt(3, 1, clicks=[Click(20, 30)])
    go(session)
    session.prompt(3, 1, mask=wrap(painted))
    before = {frame: mask.runs.decode() for frame, mask in session.masks(1).items()}
    assert np.array_equal(session.labels(3) == 1, painted)
    go(session, start=3)
    go(session, start=5, direction="backward")
    assert np.array_equal(session.labels(3) == 1, painted)
    after = session.masks(1)
    assert any((after[frame].runs.decode() != before[frame]).any() for frame in (4, 5)), "it is followed"
    session.prompt(3, 1, clicks=[Click(20, 30)])
    assert not session.masks(1)[3].painted


def test_a_closed_propagation_keeps_its_frames_and_goes_on(
    session: Session, scene: Phantom, network: SAM2, middle: Middle
) -> None:
    whole = Session(scene.images, network)
    for one in (session, whole):
        one.prompt(1, 1, clicks=[middle(1, 1)])
        one.prompt(3, 2, clicks=[middle(3, 2)])
        one.prompt(5, 2, clicks=[middle(5, 2)])
    assert go(whole) == [1, 2, 3, 4, 5, 6, 7]
    assert go(whole, direction="backward") == [3, 2, 1, 0]
    with closing(session.propagate()) as run:
        assert [next(run).frame for _ in range(3)] == [1, 2, 3]
    assert sorted(session.masks(1)) == [1, 2, 3]
    assert session.unfinished is not None
    assert [done.frame for done in session.resume()] == [4, 5, 6, 7]
    assert session.unfinished is None
    with closing(session.propagate(direction="backward")) as run:
        next(run)
    assert [done.frame for done in session.resume()] == [2, 1, 0]
    assert contents(session) == contents(whole)
    with pytest.raises(PromptError, match="no propagation to go on with"):
        session.resume()


def test_a_click_between_frames_goes_into_the_run(session: Session, middle: Middle) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    run = session.propagate()
    assert [next(run).frame, next(run).frame] == [0, 1]
    session.prompt(1, 2, clicks=[middle(1, 2)])
    assert [done.frame for done in run] == [2, 3, 4, 5, 6, 7]
    assert sorted(session.masks(1)) == list(range(8))
    assert sorted(session.masks(2)) == [1], "it was not among those to follow"
    assert [type(step).__name__ for step in session.steps] == ["Prompt", "Propagate", "Prompt", "Propagate"]


def test_another_run_ends_the_first(session: Session, middle: Middle) -> None:
    session.prompt(2, 1, clicks=[middle(2, 1)])
    first = session.propagate()
    next(first)
    assert go(session, start=2, stop=0, direction="backward") == [2, 1, 0]
    assert list(first) == []


def test_only_the_named_objects_and_frames(session: Session, middle: Middle) -> None:
    for number in (1, 2, 3):
        session.prompt(0, number, clicks=[middle(0, number)])
    session.commit(3)
    assert go(session, [1], start=2, stop=4) == [2, 3, 4]
    assert sorted(session.masks(1)) == [0, 2, 3, 4]
    assert sorted(session.masks(2)) == [0]
    go(session)
    assert sorted(session.masks(2)) == list(range(8))
    assert sorted(session.masks(3)) == [0], "committed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "nothing to follow"),
        ({"object_ids": [7]}, "no object 7"),
        ({"object_ids": [1]}, "Object 1 has no prompt"),
        ({"object_ids": []}, "name at least one"),
        ({"object_ids": [2], "start": 9}, "no frame 9"),
        ({"object_ids": [2], "start": 4, "stop": 2}, "does not come after"),
        ({"object_ids": [2], "direction": "up"}, '"forward" or "backward"'),
    ],
)
def test_senseless_propagations_are_told_at_once(session: Session, arguments: dict, words: str) -> None:
    session.add()
    session.add()
    if "object_ids" in arguments:
        session.prompt(0, 2, clicks=[Click(20, 20)])
    with pytest.raises(PromptError, match=words):
        session.propagate(**arguments)


def test_object_table(session: Session) -> None:
    assert session.add() == 1
    assert session.add("soma", object_id=5) == 5
    assert session.add() == 6
    session.rename(1, "axon")
    session.hide(6)
    assert [row.name for row in session.objects.values()] == ["axon", "soma", "Object 6"]
    assert session.objects[6].hidden
    session.delete(5)
    assert sorted(session.objects) == [1, 6]
    for wrong in (lambda: session.add(object_id=1), lambda: session.add(object_id=0)):
        with pytest.raises(PromptError):
            wrong()
    with pytest.raises(PromptError, match="no object 5; known are: 1, 6"):
        session.rename(5, "x")


def test_flattening_follows_the_rule(session: Session) -> None:
    left, right = disc(30, 30, 10), disc(30, 40, 10)
    both = left & right
    assert both.any()
    session.prompt(0, 1, mask=left)
    session.prompt(0, 2, mask=right)
    assert (session.labels(0)[both] == 1).all(), "painted both, equal score: the lower id"
    session.commit(2)
    assert (session.labels(0)[both] == 2).all(), "committed"
    assert np.array_equal(session.labels(0) > 0, left | right)
    session.hide(2)
    assert set(np.unique(session.labels(0))) == {0, 1}
    session.hide(2, False)
    session.reopen(2)
    assert (session.labels(0)[both] == 1).all()
    found = session.prompt(0, 3, clicks=[Click(30, 30)])
    assert (found & left).any()
    assert (session.labels(0)[left] == 1).all(), "painted before predicted"
    assert np.array_equal(session.masks(3)[0].runs.decode(), found), "inside they stay apart"


def test_committed_objects_are_protected(session: Session, middle: Middle) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    session.prompt(0, 2, clicks=[middle(0, 2)])
    session.commit(1)
    before = contents(session)
    for change in (
        lambda: session.prompt(1, 1, clicks=[middle(1, 1)]),
        lambda: session.clear(0, 1),
        lambda: session.delete(1),
        lambda: session.merge(2, [1]),
        lambda: session.merge(1, [2]),
        lambda: session.divide(1, 1, [3, 4]),
        lambda: session.propagate([1]),
    ):
        with pytest.raises(PromptError, match="committed"):
            change()
    assert contents(session) == before
    assert sorted(session.objects) == [1, 2], "the daughters were taken back"
    session.reopen(1)
    session.delete(1)
    assert sorted(session.objects) == [2]


def test_merge_gives_the_union(session: Session, middle: Middle) -> None:
    for number in (1, 2):
        session.prompt(number, number, clicks=[middle(number, number)])
    go(session)
    masks = {n: {f: m.runs.decode() for f, m in session.masks(n).items()} for n in (1, 2)}
    session.merge(1, [2])
    assert sorted(session.objects) == [1]
    nothing = np.zeros((64, 72), bool)
    for frame in range(LENGTH):
        wanted = masks[1].get(frame, nothing) | masks[2].get(frame, nothing)
        mask = session.masks(1).get(frame)
        assert np.array_equal(mask.runs.decode() if mask else nothing, wanted)
    prompts = session.prompts(1)
    assert sorted(prompts) == [1, 2]
    assert all(prompt.mask is not None for prompt in prompts.values())
    assert go(session)
    with pytest.raises(PromptError, match="two or more different"):
        session.merge(1, [1])


def test_division_ends_the_mother_and_begins_the_daughters(session: Session, middle: Middle) -> None:
    for number in (1, 2):
        session.prompt(0, number, clicks=[middle(0, number)])
    go(session)
    session.prompt(6, 1, clicks=[middle(6, 1)])
    session.divide(4, 1, [2, 9])
    assert {child: (d.mother, d.frame) for child, d in session.lineage.items()} == {2: (1, 4), 9: (1, 4)}
    assert sorted(session.masks(1)) == [0, 1, 2, 3]
    assert sorted(session.prompts(1)) == [0]
    assert sorted(session.masks(2)) == [4, 5, 6, 7]
    assert session.objects[9].name == "Object 9"
    session.prompt(5, 2, clicks=[middle(5, 2)])
    assert go(session) == [0, 1, 2, 3, 5, 6, 7]
    assert go(session, direction="backward") == [5, 4, 0]
    assert sorted(session.masks(1)) == [0, 1, 2, 3]
    assert sorted(session.masks(2)) == [4, 5, 6, 7]
    for wrong, words in [
        (lambda: session.prompt(4, 1, clicks=[middle(4, 1)]), "lives from frame 0 to 3"),
        (lambda: session.prompt(3, 2, clicks=[middle(3, 2)]), "lives from frame 4 to 7"),
        (lambda: session.divide(2, 1, [10, 11]), "divides already"),
        (lambda: session.divide(4, 2, [10, 11]), "cannot divide on frame 4"),
        (lambda: session.divide(5, 2, [10, 10]), "two or more different"),
        (lambda: session.divide(5, 2, [10, 9]), "another origin"),
        (lambda: session.merge(1, [2]), "comes from a division"),
    ]:
        with pytest.raises(PromptError, match=words):
            wrong()
    session.delete(1)
    assert not session.lineage


def test_labels_that_exist_become_objects(session: Session, scene: Phantom) -> None:
    session.add(object_id=2)
    assert session.adopt(scene.labels[0], 0) == {1: 1, 2: 3, 3: 4}
    for label, number in {1: 1, 2: 3, 3: 4}.items():
        assert np.array_equal(session.labels(0) == number, scene.labels[0] == label)
    assert go(session) == list(range(8))
    assert np.array_equal(session.labels(0) > 0, scene.labels[0] > 0)
    with pytest.raises(PromptError, match=r"whole numbers of the shape \(64, 72\)"):
        session.adopt(scene.labels[0][:5], 0)


def test_a_failed_prompt_changes_nothing(session: Session) -> None:
    for wrong in (
        lambda: session.prompt(0, 1, clicks=[Click(900, 1)]),
        lambda: session.prompt(0, 1),
        lambda: session.prompt(0, 1, mask=np.zeros((64, 72), bool)),
        lambda: session.prompt(0, 1, mask=np.ones((3, 3), bool)),
        lambda: session.prompt(8, 1, clicks=[Click(1, 1)]),
    ):
        with pytest.raises(PromptError):
            wrong()
    assert not session.objects
    assert not session.steps
    assert not session.can_undo


def test_events_name_the_changed_region_and_no_more(scene: Phantom, network: SAM2) -> None:
    session = Session(scene.images, network, guard=LeakGuard(0, 0))
    before = every_label(session)
    told: dict[int, Region] = {}
    session.events.labels_changed.connect(lambda frame, region: told.update({frame: region}))
    counts = {"objects": 0, "progress": []}
    session.events.objects_changed.connect(lambda: counts.update(objects=counts["objects"] + 1))
    session.events.progress.connect(lambda done, total: counts["progress"].append((done, total)))

    def check() -> None:
        nonlocal before
        now = every_label(session)
        for frame in range(LENGTH):
            changed = np.argwhere(now[frame] != before[frame])
            if frame not in told:
                assert not changed.size, frame
                continue
            region = told[frame]
            outside = now[frame] != before[frame]
            outside[region.slices] = False
            assert not outside.any(), frame
        before = now
        told.clear()

    session.prompt(0, 1, mask=disc(20, 20, 5))
    assert told == {0: Region(15, 15, 26, 26)}
    check()
    assert counts["objects"] == 1
    session.prompt(0, 2, mask=disc(24, 24, 5))
    check()
    list(session.propagate(stop=3))
    assert counts["progress"] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    check()
    for act in (
        lambda: session.commit(2),
        lambda: session.hide(1),
        lambda: session.reopen(2),
        lambda: session.divide(2, 2, [3, 4]),
        session.undo,
        session.undo,
        session.undo,
        session.redo,
        session.undo,
        session.undo,
        session.undo,
    ):
        act()
        check()
