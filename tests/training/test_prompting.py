"""Prompts that a user might have made, for a batch of masks."""

from collections import Counter

import pytest
import torch

from napari_sam2.model.prompt_encoder import BOX_END, BOX_START, NEGATIVE, POSITIVE
from napari_sam2.training.prompting import FirstPrompt, draw_plan, noisy_box, random_click

REPEATS = 60


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def rectangle(y0: int, x0: int, y1: int, x1: int, height: int = 12, width: int = 16) -> torch.Tensor:
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def at(mask: torch.Tensor, point: torch.Tensor) -> bool:
    x, y = point.tolist()
    return bool(mask[int(y), int(x)])


def test_the_first_click_is_on_the_object() -> None:
    truth = torch.stack([rectangle(2, 3, 5, 4), rectangle(8, 10, 8, 10), rectangle(0, 0, 11, 15)])
    seen = set()
    for _ in range(REPEATS):
        points, labels = random_click(truth)
        assert points.shape == (3, 1, 2)
        assert labels.tolist() == [[POSITIVE]] * 3
        assert all(at(mask, point[0]) for mask, point in zip(truth, points, strict=True))
        assert points[1, 0].tolist() == [10, 8]  # (x, y)
        seen.add(tuple(points[0, 0].tolist()))
    assert len(seen) == 8  # every pixel has its chance


def test_corrections_lie_in_the_error_and_say_which() -> None:
    truth = rectangle(2, 2, 6, 6)
    found = rectangle(2, 5, 6, 9)
    labels_seen = set()
    for _ in range(REPEATS):
        points, labels = random_click(truth[None], found[None])
        assert at(truth ^ found, points[0, 0])
        assert labels.item() == (POSITIVE if at(truth, points[0, 0]) else NEGATIVE)
        labels_seen.add(labels.item())
    assert labels_seen == {POSITIVE, NEGATIVE}


def test_each_object_is_corrected_by_its_own_error() -> None:
    truth = rectangle(2, 2, 6, 6).repeat(3, 1, 1)
    found = torch.stack([rectangle(2, 2, 6, 4), rectangle(2, 2, 6, 9), rectangle(2, 2, 6, 6)])
    for _ in range(REPEATS):
        points, labels = random_click(truth, found)
        assert labels[:, 0].tolist() == [POSITIVE, NEGATIVE, NEGATIVE]
        assert at(truth[0] & ~found[0], points[0, 0])
        assert at(found[1] & ~truth[1], points[1, 0])
        assert not at(truth[2], points[2, 0])  # nothing is wrong: beside the object


def test_an_object_out_of_view_gets_a_negative_click() -> None:
    empty = torch.zeros(1, 12, 16, dtype=torch.bool)
    found = rectangle(3, 3, 4, 4)[None]
    for _ in range(REPEATS):
        assert random_click(empty)[1].item() == NEGATIVE
        points, labels = random_click(empty, found)
        assert labels.item() == NEGATIVE
        assert at(found[0], points[0, 0])


def test_box_is_tight_without_noise() -> None:
    truth = torch.stack([rectangle(2, 3, 5, 12), rectangle(8, 10, 8, 10)])
    points, labels = noisy_box(truth, noise=0.0)
    assert points.tolist() == [[[3, 2], [12, 5]], [[10, 8], [10, 8]]]
    assert labels.tolist() == [[BOX_START, BOX_END]] * 2


def test_box_corners_stay_within_a_tenth_of_the_sides() -> None:
    truth = rectangle(20, 30, 59, 49, 100, 100)[None]  # 40 high, 20 wide
    exact = torch.tensor([[30.0, 20.0], [49.0, 59.0]])
    shifts = torch.stack([noisy_box(truth)[0][0] - exact for _ in range(REPEATS)])
    largest = shifts.abs().amax(dim=0)
    assert (largest <= torch.tensor([2.0, 4.0])).all()
    assert (largest > torch.tensor([1.0, 2.0])).all()
    assert len(shifts.flatten().unique()) > REPEATS  # each coordinate moves by itself


def test_box_noise_has_a_limit() -> None:
    truth = rectangle(100, 100, 499, 499, 600, 600)[None]
    exact = torch.tensor([[100.0, 100.0], [499.0, 499.0]])
    shifts = torch.stack([noisy_box(truth)[0][0] - exact for _ in range(30)])
    assert shifts.abs().max() <= 20


def test_box_stays_in_the_image() -> None:
    truth = torch.ones(1, 50, 70, dtype=torch.bool)
    boxes = torch.cat([noisy_box(truth)[0] for _ in range(REPEATS)])
    assert boxes.min() == 0
    assert boxes[..., 0].max() == 69
    assert boxes[..., 1].max() == 49


def test_without_an_object_the_box_is_inside_out() -> None:
    truth = torch.stack([torch.zeros(12, 16, dtype=torch.bool), rectangle(2, 3, 5, 12)])
    points, _ = noisy_box(truth)
    assert points[0].tolist() == [[15, 11], [0, 0]]
    assert (points[1, 0] < points[1, 1]).all()


def test_half_of_the_clips_begin_with_masks_and_a_quarter_each_with_boxes_and_clicks() -> None:
    plans = [draw_plan(8) for _ in range(800)]
    counts = Counter(plan.first for plan in plans)
    assert counts[FirstPrompt.MASK] == pytest.approx(400, abs=60)
    assert counts[FirstPrompt.BOX] == pytest.approx(200, abs=50)
    assert counts[FirstPrompt.CLICK] == pytest.approx(200, abs=50)
    for plan in plans:
        assert plan.prompted[0] == 0
        assert len({*plan.prompted}) == len(plan.prompted) <= 2
        if plan.first is FirstPrompt.MASK:
            assert plan.corrected == ()
        else:
            assert set(plan.prompted) <= set(plan.corrected)
            assert len(plan.corrected) <= 2
    assert {len(plan.prompted) for plan in plans} == {1, 2}
    assert {t for plan in plans for t in plan.prompted} == set(range(8))
    assert {t for plan in plans if len(plan.prompted) == 1 for t in plan.corrected} == set(range(8))


def test_a_single_image_gets_a_click_or_a_box() -> None:
    plans = [draw_plan(1) for _ in range(60)]
    assert {plan.first for plan in plans} == {FirstPrompt.BOX, FirstPrompt.CLICK}
    assert all((plan.prompted, plan.corrected) == ((0,), (0,)) for plan in plans)
