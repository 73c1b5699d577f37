"""Where objects are looked for, and what has to be remembered."""

from __future__ import annotations

import pytest

from napari_sam2.batch.plan import Birth, Way
from napari_sam2.batch.route import Life, Needed, lives, reach, route
from napari_sam2.inference.memory_bank import select
from napari_sam2.inference.policy import TrackingPolicy


def visits(objects: tuple[Life, ...], length: int, way: Way) -> list[tuple[int, str, tuple[int, ...]]]:
    return [(v.frame, v.direction.value[0], v.object_ids) for v in route(objects, length, way)]


@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        (Way.FORWARD, [(1, "f", (7,)), (2, "f", (7, 3)), (3, "f", (7, 3))]),
        (Way.BACKWARD, [(2, "b", (3,)), (1, "b", (7, 3)), (0, "b", (7, 3))]),
        (
            Way.BOTH,
            [(1, "f", (7,)), (2, "f", (7, 3)), (3, "f", (7, 3)), (1, "b", (3,)), (0, "b", (7, 3))],
        ),
    ],
)
def test_each_object_from_its_own_prompt(way: Way, wanted: list[tuple[int, str, tuple[int, ...]]]) -> None:
    assert visits(lives([(7, 1), (3, 2)], (), 4), 4, way) == wanted


def test_several_prompts_of_one_object() -> None:
    objects = lives([(1, 3), (1, 1)], (), 5)
    assert [frame for frame, *_ in visits(objects, 5, Way.BOTH)] == [1, 2, 3, 4, 0]
    assert [frame for frame, *_ in visits(objects, 5, Way.BACKWARD)] == [3, 2, 1, 0]


def test_a_mother_ends_where_her_daughters_begin() -> None:
    objects = lives([(1, 0), (2, 2), (3, 3)], [Birth(2, 1, 2), Birth(3, 1, 2)], 5)
    assert visits(objects, 5, Way.BOTH) == [
        (0, "f", (1,)),
        (1, "f", (1,)),
        (2, "f", (2,)),
        (3, "f", (2, 3)),
        (4, "f", (2, 3)),
        (2, "b", (3,)),
    ]


@pytest.mark.parametrize("way", list(Way))
def test_nobody_is_followed_onto_a_frame_twice(way: Way) -> None:
    objects = lives([(1, 4), (2, 0), (3, 7), (1, 6)], (), 8)
    places = [(v.frame, i) for v in route(objects, 8, way) for i in v.object_ids]
    assert len(places) == len(set(places)) > 8


@pytest.mark.parametrize(
    "policy",
    [
        TrackingPolicy(),
        TrackingPolicy(memory_temporal_stride_for_eval=3),
        TrackingPolicy(max_obj_ptrs_in_encoder=2),
        TrackingPolicy(memory_temporal_stride_for_eval=4, max_obj_ptrs_in_encoder=1),
    ],
)
@pytest.mark.parametrize("way", list(Way))
def test_everything_that_is_looked_at_is_kept(policy: TrackingPolicy, way: Way) -> None:
    """As if a run stopped before every visit: what `select` chooses must be among what is needed then."""
    length, remembered = 40, 7
    objects = lives([(1, 22), (2, 5), (2, 31)], (), length)
    steps = route(objects, length, way)
    needed = Needed(steps, objects, reach(policy, remembered))
    most = 0
    for stop in range(0, len(steps), 3):
        kept = needed.frames(stop)
        most = max(most, len(kept))
        for life in objects:
            prompted = [life.first, *([life.last] if life.last != life.first else [])]
            visited = [step.frame for step in steps[:stop] if life.object_id in step.object_ids]
            tracked = [at for at in visited if at not in prompted]
            for step in steps[stop:]:
                if life.object_id not in step.object_ids:
                    continue
                found = select(step.frame, step.direction, prompted, tracked, policy, remembered, length)
                looked_at = {one.frame for one in (*found.maps, *found.pointers) if not one.prompted}
                assert looked_at <= kept
    assert way is Way.BOTH or most == reach(policy, remembered)


def test_all_done_needs_nothing() -> None:
    objects = lives([(1, 0)], (), 3)
    steps = route(objects, 3, Way.FORWARD)
    assert Needed(steps, objects, 16).frames(3) == set()
