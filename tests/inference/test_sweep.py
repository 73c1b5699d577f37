"""Bodies through made volumes, by the embedded network where masks matter, else by any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import Phantom, nuclei_volume
from napari_sam2.inference.body import Body
from napari_sam2.inference.body_guard import BodyGuard
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.inference.sweep import Reach, follow_volume, sweep
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.inference.volume import Axis, VolumeFrames, Voxel, prompts_along
from napari_sam2.inference.vote import follow_and_vote, vote
from napari_sam2.io.checkpoints import load_model
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click, Direction, MaskPrompt, PromptSet


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return nuclei_volume(depth=10, height=32, width=40, objects=2, seed=2, radius=7)


@pytest.fixture(scope="module")
def tracker() -> VideoTracker:
    model: Any = load_model("nano", "cpu")
    return VideoTracker(model, TrackingPolicy.for_stacks())


@pytest.fixture
def random(small_model: SAM2) -> VideoTracker:
    """A random network that never lets go: what is tested is the way, not the masks."""
    return VideoTracker(small_model, TrackingPolicy(drop_strays=False))


def middles(phantom: Phantom) -> dict[int, list[Voxel]]:
    """A click in the middle of the middle slice of each nucleus."""
    places = {}
    for number in map(int, np.unique(phantom.labels)[1:]):
        own = phantom.labels == number
        slices = np.flatnonzero(own.any(axis=(1, 2)))
        z = int(slices[len(slices) // 2])
        click = first_click(own[z])
        places[number] = [Voxel(z, click.y, click.x)]
    return places


def overlaps(bodies: dict[int, Body], phantom: Phantom) -> list[float]:
    return [bodies[n].overlap(Body.of(phantom.labels == n)) for n in bodies]


@pytest.fixture(scope="module")
def found(tracker: VideoTracker, phantom: Phantom) -> dict[Axis, dict[int, Body]]:
    views = {axis: VolumeFrames(phantom.images, axis, (phantom.z_spacing, 1, 1)) for axis in Axis}
    return {
        axis: follow_volume(tracker, frames, prompts_along(axis, middles(phantom)))
        for axis, frames in views.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("axis", list(Axis))
def test_nuclei_are_found_along_any_axis(
    found: dict[Axis, dict[int, Body]], phantom: Phantom, axis: Axis
) -> None:
    bodies = found[axis]
    assert np.mean(overlaps(bodies, phantom)) > 0.55
    assert all(body.axis is axis and body.shape == phantom.labels.shape for body in bodies.values())


@pytest.mark.slow
def test_three_sweeps_agree_better_than_the_worst_of_them(
    found: dict[Axis, dict[int, Body]], phantom: Phantom
) -> None:
    agreed = {number: vote([found[axis][number] for axis in Axis]) for number in found[Axis.Z]}
    single = [float(np.mean(overlaps(found[axis], phantom))) for axis in Axis]
    assert np.mean(overlaps(agreed, phantom)) > max(0.55, min(single))


def test_a_vote_is_three_sweeps(random: VideoTracker, noise: np.ndarray) -> None:
    clicks, done = {3: [Voxel(4, 10, 10)]}, list[int]()
    small = noise[:, :14, :12]
    options: Any = {"spacing": (2, 1, 1), "guard": BodyGuard(longest=0.5)}
    agreed = follow_and_vote(random, small, clicks, advance=lambda: done.append(1), **options)
    sweeps = [
        follow_volume(
            random,
            VolumeFrames(small, axis, (2, 1, 1)),
            prompts_along(axis, clicks),
            guard=options["guard"],
            intensity=VolumeFrames(small).intensity(),
            advance=lambda: done.append(2),
        )[3]
        for axis in Axis
    ]
    assert agreed[3].size == vote(sweeps).size
    assert agreed[3].overlap(vote(sweeps)) == 1
    assert done.count(1) == done.count(2) > 0


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, (9, 32, 32)).astype(np.uint16)


def where(random: VideoTracker, noise: np.ndarray, reach: Reach, **options: Any) -> dict[int, list[int]]:
    """Which slices each body is found on, one that is prompted on slice 4."""
    options.setdefault("guard", BodyGuard.off())
    prompts = {1: {4: PromptSet((Click(10, 10),))}}
    bodies = follow_volume(random, VolumeFrames(noise), prompts, reach, **options)
    return {number: sorted(body.masks) for number, body in bodies.items()}


@pytest.mark.parametrize(
    ("reach", "slices"),
    [
        pytest.param(Reach(), range(9), id="all"),
        pytest.param(Reach(both_ways=False), range(4, 9), id="forward"),
        pytest.param(Reach(first=2, last=6), range(2, 7), id="a range"),
        pytest.param(Reach(stops=(3, 7)), range(3, 8), id="planes on either side"),
        pytest.param(Reach(stops=(1, 2, 6, 8)), range(2, 7), id="the nearest planes"),
        pytest.param(Reach(stops=(4,)), range(4, 5), id="a plane through the prompt"),
    ],
)
def test_how_far_bodies_are_followed(
    random: VideoTracker, noise: np.ndarray, reach: Reach, slices: range
) -> None:
    assert where(random, noise, reach) == {1: list(slices)}


class Stops(BodyGuard):
    """Ends each way after three slices, of which two belong to the body."""

    def end(self, way: Any, step: float = 1.0) -> int | None:
        return 2 if len(way) == 3 else None


def test_what_a_guard_cuts_is_taken_back(random: VideoTracker, noise: np.ndarray) -> None:
    assert where(random, noise, Reach(), guard=Stops()) == {1: [3, 4, 5]}
    ends = [
        (one.frame, one.direction, dict(one.ended))
        for one in sweep(random, VolumeFrames(noise), {1: {4: PromptSet((Click(10, 10),))}}, None, Stops())
        if one.ended
    ]
    assert ends == [(6, Direction.FORWARD, {1: 5}), (2, Direction.BACKWARD, {1: 3})]


def test_guards_wait_for_the_last_prompt(random: VideoTracker, noise: np.ndarray) -> None:
    prompts = {1: {frame: PromptSet((Click(10, 10),)) for frame in (2, 6)}}
    bodies = follow_volume(random, VolumeFrames(noise), prompts, None, Stops())
    assert sorted(bodies[1].masks) == [1, 2, 3, 4, 5, 6, 7]


def test_nothing_is_computed_for_what_has_ended(random: VideoTracker, noise: np.ndarray) -> None:
    frames = VolumeFrames(noise)
    seen: list[tuple[int, list[int]]] = []
    prompts = {1: {2: PromptSet((Click(10, 10),))}, 2: {4: PromptSet((Click(20, 20),))}}
    for one in sweep(random, frames, prompts, Reach(both_ways=False), Stops()):
        seen.append((one.frame, sorted(one.masks)))
    assert seen == [(2, [1]), (3, [1]), (4, [1, 2]), (5, [2]), (6, [2])]


def test_closing_a_sweep_leaves_nothing_behind(random: VideoTracker, noise: np.ndarray) -> None:
    started: list[Any] = []
    start = random.start

    def watched(*given: Any, **named: Any) -> Any:
        started.append(start(*given, **named))
        return started[-1]

    random.start = watched  # type: ignore[method-assign]
    going: Iterator[Any] = sweep(random, VolumeFrames(noise), {1: {4: PromptSet((Click(9, 9),))}})
    next(going)
    assert started[0].objects
    going.close()  # type: ignore[attr-defined]
    assert not started[0].objects


def test_a_mask_on_a_flat_plane_comes_back_as_it_was(random: VideoTracker, noise: np.ndarray) -> None:
    drawn = np.zeros((9, 32), bool)
    drawn[3:6, 8:20] = True
    frames = VolumeFrames(noise, Axis.Y, (3.0, 1.0, 1.0))
    prompts = {5: {16: PromptSet(mask=MaskPrompt(drawn))}}
    bodies = follow_volume(random, frames, prompts, Reach(stops=(16,)), BodyGuard.off())
    found = bodies[5].voxels((slice(0, 9), slice(16, 17), slice(0, 32)))[:, 0]
    assert np.count_nonzero(found ^ drawn) <= 0.15 * np.count_nonzero(drawn), "the network's grid is coarser"


@pytest.mark.parametrize(
    ("prompts", "reach", "words"),
    [
        ({}, Reach(), "no object yet"),
        ({1: {}}, Reach(), "Object 1 has no prompt"),
        ({1: {9: PromptSet((Click(1, 1),))}}, Reach(), "slice 9 along z, but only the slices 0 to 8"),
        ({1: {4: PromptSet((Click(1, 1),))}}, Reach(first=5), "only the slices 5 to 8"),
        ({1: {4: PromptSet((Click(1, 99),))}}, Reach(), "outside the image"),
        ({1: {4: PromptSet((Click(1, 1),))}}, Reach(last=9), "There is no slice 9"),
        ({1: {4: PromptSet((Click(1, 1),))}}, Reach(first=5, last=3), "5 to 3 is empty"),
        ({1: {4: PromptSet((Click(1, 1),))}}, Reach(stops=(-1,)), "There is no slice -1"),
    ],
)
def test_wrong_prompts(
    random: VideoTracker, noise: np.ndarray, prompts: Any, reach: Reach, words: str
) -> None:
    with pytest.raises(PromptError, match=words):
        follow_volume(random, VolumeFrames(noise), prompts, reach)
