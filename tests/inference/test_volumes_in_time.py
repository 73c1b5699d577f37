"""Bodies through made volumes in time: by the embedded network, and by scripted bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError, Sam2Error
from napari_sam2.imaging.phantoms import nuclei_volume_movie
from napari_sam2.inference import volumes_in_time
from napari_sam2.inference.body import Body
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.inference.time_policy import KeySlice, TimePolicy, key_slice
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.inference.volume import VolumeFrames, Voxel
from napari_sam2.inference.volumes_in_time import VolumesInTime
from napari_sam2.io.checkpoints import load_model
from napari_sam2.model.sam2 import SAM2

SHAPE = (6, 20, 24)


def ball(z: float, y: float, x: float, radius: float) -> np.ndarray:
    at = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    squared = sum((a - b) ** 2 for a, b in zip(at, (z, y, x), strict=True))
    return np.asarray(squared <= radius**2)


class Scripted:
    """Stands in for sweeps: what is asked for, in the order of time; the truth is handed out."""

    def __init__(self, truth: Callable[[VolumeFrames, int, Any], np.ndarray | None]) -> None:
        self.truth, self.asked = truth, list[dict[int, Any]]()

    def __call__(self, tracker: Any, frames: VolumeFrames, prompts: Mapping[int, Any], *_: Any) -> Any:
        self.asked.append(dict(prompts))
        found = {}
        for number, own in prompts.items():
            voxels = self.truth(frames, number, own)
            found[number] = Body(SHAPE) if voxels is None else Body.of(voxels, 0.9)
        return found


@pytest.fixture
def follower(small_model: SAM2, monkeypatch: pytest.MonkeyPatch) -> Callable[..., VolumesInTime]:
    """Sweeps are scripted, and masks are carried as they are."""

    def make(script: Scripted, policy: TimePolicy | None = None) -> VolumesInTime:
        monkeypatch.setattr(volumes_in_time, "follow_volume", script)
        made = VolumesInTime(VideoTracker(small_model, TrackingPolicy.for_stacks()), policy=policy)

        def carried(before: Any, after: Any, bodies: Mapping[int, Body], intensity: Any) -> Any:
            keys = {number: key_slice(body, made.policy.key) for number, body in bodies.items()}
            return {number: {key: bodies[number].masks[key]} for number, key in keys.items()}

        monkeypatch.setattr(made, "_carried", carried)
        return made

    return make


def volumes(*truths: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([100 + 900 * truth + rng.normal(0, 20, SHAPE) for truth in truths])


def test_a_mother_hands_over_to_two_daughters(follower: Callable[..., VolumesInTime]) -> None:
    mother = ball(3, 10, 12, 5.5)
    left, right = ball(3, 10, 8.5, 2.6), ball(3, 10, 15.5, 2.6)
    movie = volumes(mother, mother, left | right, left | right)

    def truth(frames: VolumeFrames, number: int, own: Any) -> np.ndarray | None:
        whole = float(np.asarray(frames.volume)[3, 10, 12]) > 500
        if whole:
            return mother
        (prompt,) = own.values()
        x = prompt.clicks[0].x if hasattr(prompt, "clicks") else np.argwhere(prompt.decode())[:, 1].mean()
        return left if x < 12 else right

    script = Scripted(truth)
    found = list(follower(script).follow(movie, {4: [Voxel(3, 10, 12)]}))
    assert [sorted(one.bodies) for one in found] == [[4], [4], [5, 6], [5, 6]]
    assert [dict(one.mothers) for one in found] == [{}, {}, {5: 4, 6: 4}, {}]
    sides = {n: float(body.middle().x) for n, body in found[2].bodies.items()}
    assert sorted(sides.values()) == pytest.approx([8.5, 15.5], abs=0.1)
    still = {n: float(body.middle().x) for n, body in found[3].bodies.items()}
    assert still == pytest.approx(sides, abs=0.1), "each daughter stays who she is"


def test_a_division_that_shows_late_is_seen_from_where_the_mother_was(
    follower: Callable[..., VolumesInTime],
) -> None:
    mother = ball(3, 10, 12, 5.5)
    left, right = ball(3, 10, 8.5, 2.6), ball(3, 10, 15.5, 2.6)
    movie = volumes(mother, mother, left | right)

    def truth(frames: VolumeFrames, number: int, own: Any) -> np.ndarray | None:
        (prompt,) = own.values()
        if not hasattr(prompt, "clicks"):
            return left  # what is carried has lost one of the two
        return mother if len(script.asked) == 1 else left if prompt.clicks[0].x < 12 else right

    script = Scripted(truth)
    found = list(follower(script, TimePolicy(steady=0.0)).follow(movie, {1: [Voxel(3, 10, 12)]}))
    assert [sorted(one.bodies) for one in found] == [[1], [1], [2, 3]]
    assert found[1].bodies[1].overlap(Body.of(left)) == 1
    assert found[2].mothers == {2: 1, 3: 1}


def test_two_in_one_outline_are_told_apart_by_the_light(follower: Callable[..., VolumesInTime]) -> None:
    mother = ball(3, 10, 12, 5.5)
    pair = ball(3, 10, 8.5, 2.6) | ball(3, 10, 15.5, 2.6)
    script = Scripted(lambda frames, number, own: mother)
    found = list(follower(script).follow(volumes(mother, pair), {1: [Voxel(3, 10, 12)]}))
    assert found[1].mothers == {2: 1, 3: 1}
    one, other = found[1].bodies[2], found[1].bodies[3]
    assert one.shared(other) == 0
    assert sorted([one.middle().x, other.middle().x]) == pytest.approx([9.7, 14.5], abs=0.8)


def test_divisions_can_be_switched_off(follower: Callable[..., VolumesInTime]) -> None:
    mother, pair = ball(3, 10, 12, 5.5), ball(3, 10, 8.5, 2.6) | ball(3, 10, 15.5, 2.6)
    script = Scripted(lambda frames, number, own: mother)
    policy = TimePolicy(division=None)
    found = list(follower(script, policy).follow(volumes(mother, pair), {1: [Voxel(3, 10, 12)]}))
    assert [sorted(one.bodies) for one in found] == [[1], [1]]


def test_what_leaks_is_cut_off_where_the_body_cannot_be(follower: Callable[..., VolumesInTime]) -> None:
    one, far = ball(3, 10, 6, 4), ball(3, 10, 18, 4)
    script = Scripted(lambda frames, number, own: one if len(script.asked) == 1 else one | far)
    movie = volumes(one | far, one | far)
    found = list(follower(script).follow(movie, {1: [Voxel(3, 10, 6)]}))
    assert found[1].bodies[1].overlap(Body.of(one)) == 1
    script.asked.clear()
    loose = list(follower(script, TimePolicy(moves=0.0)).follow(movie, {1: [Voxel(3, 10, 6)]}))
    assert loose[1].bodies[1].overlap(Body.of(one | far)) == 1


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        pytest.param(ball(3, 10, 12, 4), 4.0, id="better"),
        pytest.param(ball(3, 10, 12, 1), 1.8, id="worse"),
        pytest.param(None, 1.8, id="none"),
    ],
)
def test_what_shrinks_is_looked_for_again(
    follower: Callable[..., VolumesInTime], second: np.ndarray | None, kept: float
) -> None:
    answers = [ball(3, 10, 12, 4), ball(3, 10, 12, 1.8), second]
    script = Scripted(lambda frames, number, own: answers[len(script.asked) - 1])
    movie = volumes(ball(3, 10, 12, 4), ball(3, 10, 12, 4))
    found = list(follower(script).follow(movie, {1: [Voxel(3, 10, 12)]}))
    assert found[1].bodies[1].overlap(Body.of(ball(3, 10, 12, kept))) == 1
    (prompt,) = script.asked[2][1].values()
    assert (prompt.clicks[0].y, prompt.clicks[0].x) == pytest.approx((10, 12), abs=1)
    assert len(script.asked) == 3


def test_it_ends_where_nothing_is_left(follower: Callable[..., VolumesInTime]) -> None:
    body = ball(3, 10, 12, 4)
    script = Scripted(lambda frames, number, own: body if len(script.asked) == 1 else None)
    found = list(follower(script).follow(volumes(body, body, body), {1: [Voxel(3, 10, 12)]}))
    assert [one.time for one in found] == [0]


def test_which_slice_stands_for_a_body() -> None:
    voxels = np.zeros(SHAPE, bool)
    voxels[1, :8, :8] = voxels[2, :4, :4] = voxels[3, :7, :7] = voxels[4, :6, :6] = True
    body = Body.of(voxels)
    assert key_slice(body, KeySlice.LARGEST) == 1
    assert key_slice(body, KeySlice.MIDDLE) == 2  # 64 x 1, 16 x 2, 49 x 3, 36 x 4: 2.3


@pytest.mark.parametrize("wrong", [{"moves": -1.0}, {"moves": float("inf")}, {"steady": 1.5}])
def test_senseless_policies(wrong: dict[str, Any]) -> None:
    with pytest.raises(Sam2Error, match="got"):
        TimePolicy(**wrong)


def test_there_has_to_be_such_a_volume(small_model: SAM2) -> None:
    with pytest.raises(PromptError, match="There is no volume 2: there are 2"):
        VolumesInTime(VideoTracker(small_model)).follow(np.zeros((2, *SHAPE)), {1: [Voxel(0, 0, 0)]}, start=2)


@pytest.mark.slow
@pytest.mark.parametrize("key", list(KeySlice))
def test_made_nuclei_keep_their_numbers(key: KeySlice) -> None:
    movie = nuclei_volume_movie(3, 6, 40, 40, 2, 0, seed=5, radius=7)
    clicks = {}
    for number in (1, 2):
        own = movie.labels[0] == number
        z = int(np.argmax(own.sum(axis=(1, 2))))
        click = first_click(own[z])
        clicks[number] = [Voxel(z, click.y, click.x)]
    model: Any = load_model("nano", "cpu")
    tracker = VideoTracker(model, TrackingPolicy.for_stacks())
    follower = VolumesInTime(tracker, (movie.z_spacing, 1, 1), policy=TimePolicy(key))
    found = list(follower.follow(movie.images, clicks))
    assert [one.time for one in found] == [0, 1, 2]
    for one in found:
        overlaps = {n: one.bodies[n].overlap(Body.of(movie.labels[one.time] == n)) for n in clicks}
        assert min(overlaps.values()) > 0.4, one.time
        assert not one.mothers
