"""Which memories a frame looks at: the rules of `select` as a table."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from napari_sam2.inference.memory_bank import MemoryBank, MemorySelection, select
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.records import RecordKey
from napari_sam2.prompts import Direction

FORWARD, BACKWARD = Direction.FORWARD, Direction.BACKWARD
REACH = 7
COND = REACH - 1
POLICY = TrackingPolicy()


def choose(
    frame: int,
    prompted: list[int],
    tracked: list[int] | range = (),  # type: ignore[assignment]
    direction: Direction = FORWARD,
    length: int = 100,
    **switches: object,
) -> MemorySelection:
    policy = replace(POLICY, **switches)  # type: ignore[arg-type]
    return select(frame, direction, prompted, tracked, policy, REACH, length)


def maps(selection: MemorySelection) -> list[tuple[int, int]]:
    """(frame, row of the temporal code) of each map."""
    return [(m.frame, m.age) for m in selection.maps]


def pointers(selection: MemorySelection, longest: int = 15) -> list[tuple[int, int]]:
    """(frame, distance) of each pointer."""
    return [(p.frame, round(p.step * longest)) for p in selection.pointers]


@pytest.mark.parametrize(
    ("frame", "direction", "tracked", "recent"),
    [
        pytest.param(1, FORWARD, [], [], id="the first frame after the prompt"),
        pytest.param(2, FORWARD, [1], [(1, 0)], id="one neighbour"),
        pytest.param(
            20, FORWARD, range(1, 20), [(14, 5), (15, 4), (16, 3), (17, 2), (18, 1), (19, 0)], id="full"
        ),
        pytest.param(20, FORWARD, [14, 19], [(14, 5), (19, 0)], id="gaps keep their slots"),
        pytest.param(20, FORWARD, [13, 20, 21], [], id="too old, own and future frames do not count"),
        pytest.param(
            20, BACKWARD, range(15, 40), [(26, 5), (25, 4), (24, 3), (23, 2), (22, 1), (21, 0)], id="backward"
        ),
        pytest.param(20, BACKWARD, [19, 27], [], id="backward, nothing on that side"),
    ],
)
def test_recent_frames(
    frame: int, direction: Direction, tracked: list[int], recent: list[tuple[int, int]]
) -> None:
    assert maps(choose(frame, [0], tracked, direction)) == [(0, COND), *recent]


@pytest.mark.parametrize(
    ("frame", "direction", "recent"),
    [
        # The neighbour first of all; the others lie on multiples of the stride, at or beyond two frames away.
        (20, FORWARD, [(10, 5), (12, 4), (14, 3), (16, 2), (18, 1), (19, 0)]),
        (21, FORWARD, [(10, 5), (12, 4), (14, 3), (16, 2), (18, 1), (20, 0)]),
        (20, BACKWARD, [(30, 5), (28, 4), (26, 3), (24, 2), (22, 1), (21, 0)]),
        (21, BACKWARD, [(32, 5), (30, 4), (28, 3), (26, 2), (24, 1), (22, 0)]),
    ],
)
def test_stride_two(frame: int, direction: Direction, recent: list[tuple[int, int]]) -> None:
    selection = choose(frame, [0], range(1, 100), direction, memory_temporal_stride_for_eval=2)
    assert maps(selection) == [(0, COND), *recent]
    assert [d for _, d in pointers(selection)][-15:] == list(range(1, 16)), "pointers have no stride"


@pytest.mark.parametrize(
    ("most", "chosen"),
    [
        (-1, [30, 0, 18, 22, 40]),
        (5, [30, 0, 18, 22, 40]),
        (2, [18, 22]),
        (3, [18, 22, 30]),
        (4, [18, 22, 30, 0]),
    ],
)
@pytest.mark.parametrize("direction", Direction)
def test_nearest_prompted_frames(most: int, chosen: list[int], direction: Direction) -> None:
    selection = choose(20, [30, 0, 18, 22, 40], direction=direction, max_cond_frames_in_attn=most)
    assert maps(selection)[: len(chosen)] == [(frame, COND) for frame in chosen]
    assert {m.frame for m in selection.maps if m.age == COND} == set(chosen)


@pytest.mark.parametrize(
    ("prompted", "chosen"),
    [
        ([20, 10, 30, 25], [10, 20]),  # a frame counts as lying after itself
        ([1, 5, 9], [9, 5]),  # none after: filled by distance
        ([50, 40, 30], [30, 40]),  # none before
        ([30, 10, 18, 26, 14], [18, 26]),
    ],
)
def test_one_on_each_side_first(prompted: list[int], chosen: list[int]) -> None:
    selection = choose(20, prompted, max_cond_frames_in_attn=2)
    assert [m.frame for m in selection.maps if m.age == COND] == chosen


@pytest.mark.parametrize(("prompted", "third"), [([30, 10, 19, 21], 30), ([10, 30, 19, 21], 10)])
def test_ties_go_to_the_one_added_first(prompted: list[int], third: int) -> None:
    selection = choose(20, prompted, max_cond_frames_in_attn=3)
    assert [m.frame for m in selection.maps if m.age == COND] == [19, 21, third]


def test_prompted_frames_that_were_not_chosen_stand_in_as_recent_ones() -> None:
    selection = choose(20, [0, 16, 19, 30], [17], max_cond_frames_in_attn=2)
    assert [(m.frame, m.age, m.prompted) for m in selection.maps] == [
        (19, COND, True),
        (30, COND, True),
        (16, 3, True),
        (17, 2, False),
    ]
    assert [(p.frame, p.prompted) for p in selection.pointers] == [(19, True), (17, False), (16, True)]


def test_chosen_prompted_frames_are_not_recent_ones_too() -> None:
    selection = choose(20, [18, 19], [17])
    assert maps(selection) == [(18, COND), (19, COND), (17, 2)]
    assert pointers(selection) == [(18, 2), (19, 1), (17, 3)]


@pytest.mark.parametrize(
    ("direction", "prompted", "expected"),
    [
        (FORWARD, [5, 35], [(5, 15)]),
        (FORWARD, [20, 35], [(20, 0)]),
        (BACKWARD, [5, 35], [(35, 15)]),
        (BACKWARD, [5, 20], [(20, 0)]),
        (FORWARD, [35], []),
    ],
)
def test_pointers_of_prompted_frames_come_from_the_past(
    direction: Direction, prompted: list[int], expected: list[tuple[int, int]]
) -> None:
    selection = choose(20, prompted, direction=direction)
    assert pointers(selection) == expected
    assert {m.frame for m in selection.maps} == set(prompted), "maps come from either side"


def test_pointers_of_future_prompts_have_negative_distances() -> None:
    selection = choose(20, [35], only_obj_ptrs_in_the_past_for_eval=False)
    assert pointers(selection) == [(35, -15)]
    backward = choose(20, [5], direction=BACKWARD, only_obj_ptrs_in_the_past_for_eval=False)
    assert pointers(backward) == [(5, -15)]


@pytest.mark.parametrize("direction", Direction)
def test_pointers_reach_fifteen_frames(direction: Direction) -> None:
    selection = choose(50, [50 - 40 * direction.step], range(100), direction)
    assert pointers(selection) == [
        (50 - 40 * direction.step, 40),
        *((50 - d * direction.step, d) for d in range(1, 16)),
    ]
    assert selection.pointers[-1].step == 1.0


def test_pointers_stop_at_the_ends() -> None:
    assert pointers(choose(3, [0], [1, 2])) == [(0, 3), (2, 1), (1, 2)]
    end = choose(97, [99], [98], BACKWARD)
    assert pointers(end) == [(99, 2), (98, 1)]


@pytest.mark.parametrize("length", [2, 3, 5, 16, 17])
def test_short_videos_scale_distances_by_their_length(length: int) -> None:
    selection = choose(length - 1, [0], range(1, length - 1), length=length)
    longest = min(length, 16) - 1
    assert selection.pointers[0].step == (length - 1) / longest
    steps = [p.step for p in selection.pointers[1:]]
    assert steps == [d / longest for d in range(1, min(length - 1, 16))]


@pytest.mark.parametrize("direction", Direction)
def test_a_video_of_one_frame_has_no_nan(direction: Direction) -> None:
    selection = choose(0, [0], direction=direction, length=1)
    assert maps(selection) == [(0, COND)]
    assert [p.step for p in selection.pointers] == [0.0]
    assert all(math.isfinite(step) for step in selection.layout[1])


def test_fewer_pointers() -> None:
    assert pointers(choose(20, [0], range(1, 20), max_obj_ptrs_in_encoder=3), 2) == [
        (0, 20),
        (19, 1),
        (18, 2),
    ]


def test_layout_tells_apart_what_cannot_share_a_batch() -> None:
    first, shifted = choose(20, [10], range(11, 20)), choose(30, [20], range(21, 30))
    assert first.layout == shifted.layout
    assert first.layout != choose(20, [9], range(10, 20)).layout
    assert first.layout != choose(20, [10], range(12, 20)).layout


def test_the_bank_leaves_out_the_frame_itself_unless_told() -> None:
    key = RecordKey(0, 1, 2)
    bank = MemoryBank({30: key, 20: key, 10: key}, {19: key, 21: key})
    mine = bank.select(20, FORWARD, POLICY, REACH, 100)
    assert maps(mine) == [(30, COND), (10, COND), (19, 0)]
    reference = bank.select(20, FORWARD, replace(POLICY, recall_own_frame=True), REACH, 100)
    assert maps(reference) == [(30, COND), (20, COND), (10, COND), (19, 0)]


def test_the_bank_knows_a_prompted_record_before_a_tracked_one() -> None:
    bank = MemoryBank({1: RecordKey(0, 0, 0)}, {1: RecordKey(1, 1, 1), 2: RecordKey(2, 2, 2)})
    assert bank.at(1) == RecordKey(0, 0, 0)
    assert bank.at(2) == RecordKey(2, 2, 2)
    assert bank.at(3) is None
