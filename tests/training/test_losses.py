"""Losses against numbers worked out by hand."""

import math

import pytest
import torch

from napari_sam2.model.values import MaskPrediction
from napari_sam2.training.losses import (
    LossWeights,
    balanced_cross_entropy,
    dice,
    focal,
    overlap,
    prediction_loss,
)

SURE = 30.0
EVEN = math.log(2)
"""Cross-entropy of a logit of zero."""


def half() -> torch.Tensor:
    """An object in the left half of 8 x 8 pixels, (1, 8, 8)."""
    truth = torch.zeros(1, 8, 8, dtype=torch.bool)
    truth[:, :, :4] = True
    return truth


def certain(truth: torch.Tensor) -> torch.Tensor:
    """Logits (b, 1, h, w) that leave no doubt."""
    return SURE * (2 * truth[:, None].float() - 1)


def predicted(logits: torch.Tensor, iou: float = 1.0, score: float = SURE) -> MaskPrediction:
    count, masks = logits.shape[:2]
    return MaskPrediction(
        logits, torch.full((count, masks), iou), torch.full((count, 1), score), torch.zeros(count, 1, 4)
    )


def test_dice() -> None:
    target = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    right = certain(target[:, 0])
    assert dice(right, target).item() == pytest.approx(0, abs=1e-6)
    assert dice(-right, target).item() == pytest.approx(1 - 1 / 5)
    # Everywhere one half: 2 * (1 / 2 + 1 / 2) + 1 over 2 + 2 + 1.
    assert dice(torch.zeros(1, 3, 1, 4), target)[0].tolist() == pytest.approx([1 - 3 / 5] * 3)


def test_focal() -> None:
    target = torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]])
    # Half right: a quarter remains of the cross-entropy; objects count 0.25, ground 0.75.
    share = (0.25 + 3 * 0.75) / 4
    assert focal(torch.zeros(1, 2, 1, 4), target)[0].tolist() == pytest.approx([share * EVEN / 4] * 2)
    logits = torch.tensor([[[[math.log(9), -SURE, -SURE, -SURE]]]])  # 0.9 inside
    assert focal(logits, target).item() == pytest.approx(0.25 * 0.1**2 * -math.log(0.9) / 4, rel=1e-4)


def test_balanced_cross_entropy_does_not_care_for_area() -> None:
    for area in (1, 8, 15):
        target = (torch.arange(16) < area).float().view(1, 1, 4, 4)
        logits = torch.where(target > 0, 0.0, -SURE)
        assert balanced_cross_entropy(logits, target).item() == pytest.approx(EVEN / 4)
        logits = torch.where(target > 0, SURE, 0.0)
        assert balanced_cross_entropy(logits, target).item() == pytest.approx(3 * EVEN / 4)


def test_balanced_cross_entropy_of_one_class_alone() -> None:
    logits = torch.zeros(1, 1, 4, 4)
    assert balanced_cross_entropy(logits, torch.zeros(1, 1, 4, 4)).item() == pytest.approx(3 * EVEN / 4)
    assert balanced_cross_entropy(logits, torch.ones(1, 1, 4, 4)).item() == pytest.approx(EVEN / 4)


def test_overlap() -> None:
    found = torch.tensor([[[1, 1, 0, 0]], [[1, 1, 1, 1]], [[0, 0, 0, 0]]]).bool()
    truth = torch.tensor([[[0, 1, 1, 0]], [[1, 1, 1, 1]], [[0, 0, 0, 0]]]).bool()
    assert overlap(found, truth).tolist() == pytest.approx([1 / 3, 1, 0])


@pytest.mark.parametrize("weights", [LossWeights(0, 0), LossWeights(1, 0), LossWeights(0, 20)])
def test_a_perfect_prediction_costs_nothing(weights: LossWeights) -> None:
    truth = half()
    prediction = predicted(certain(truth))
    # Resampling to the size of the loss blurs nothing here: that size is the logits' own, or twice as large.
    small = predicted(certain(truth[:, ::2, ::2]))
    assert prediction_loss(small, truth, weights).item() == pytest.approx(0, abs=1e-4)
    assert prediction_loss(prediction, truth.repeat_interleave(2, 1).repeat_interleave(2, 2), weights) < 1e-4


@pytest.mark.parametrize(("iou", "expected"), [(1.0, 0.0), (0.75, 0.25), (1.5, 0.5)])
def test_iou_term_is_the_distance_to_the_true_overlap(iou: float, expected: float) -> None:
    truth = half()
    loss = prediction_loss(predicted(certain(truth[:, ::2, ::2]), iou), truth, LossWeights(0, 0))
    assert loss.item() == pytest.approx(expected, abs=1e-4)


def test_presence_term_is_cross_entropy() -> None:
    truth = half()
    sure = prediction_loss(predicted(certain(truth[:, ::2, ::2])), truth, LossWeights())
    doubtful = prediction_loss(predicted(certain(truth[:, ::2, ::2]), score=0.0), truth, LossWeights())
    wrong = prediction_loss(predicted(certain(truth[:, ::2, ::2]), score=-5.0), truth, LossWeights())
    assert (doubtful - sure).item() == pytest.approx(EVEN, abs=1e-4)
    assert (wrong - sure).item() == pytest.approx(5 + math.log1p(math.exp(-5)), abs=1e-4)


@pytest.mark.parametrize("weights", [LossWeights(0, 20), LossWeights(1, 0)])
def test_of_several_masks_only_the_best_learns_its_shape(weights: LossWeights) -> None:
    truth = half()
    good = certain(truth[:, ::2, ::2]) / SURE  # right, but not sure
    logits = torch.cat((-good, good, torch.zeros_like(good)), dim=1).requires_grad_()
    iou = torch.full((1, 3), 0.5, requires_grad=True)
    prediction_loss(
        MaskPrediction(logits, iou, torch.zeros(1, 1), torch.zeros(1, 1, 4)), truth, weights
    ).backward()
    assert [bool(mask.any()) for mask in logits.grad[0]] == [False, True, False]
    # All learn how good they are: nothing found and the wrong half are 0, the right half is 1.
    assert iou.grad[0].tolist() == pytest.approx([1 / 3, -1 / 3, 1 / 3])


def test_each_object_has_its_own_best_mask() -> None:
    truth = torch.cat((half(), ~half()))
    good = certain(half()[:, ::2, ::2]) / SURE
    logits = torch.cat((good, -good), dim=1).repeat(2, 1, 1, 1).requires_grad_()
    prediction_loss(predicted(logits), truth, LossWeights()).backward()
    assert [[bool(mask.any()) for mask in row] for row in logits.grad] == [[True, False], [False, True]]


def test_an_object_out_of_view_teaches_presence_alone() -> None:
    truth = torch.zeros(1, 8, 8, dtype=torch.bool)
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    iou = torch.rand(1, 3, requires_grad=True)
    score = torch.zeros(1, 1, requires_grad=True)
    loss = prediction_loss(
        MaskPrediction(logits, iou, score, torch.zeros(1, 1, 4)), truth, LossWeights(1.0, 20.0)
    )
    assert loss.item() == pytest.approx(EVEN)
    loss.backward()
    assert not logits.grad.any()
    assert not iou.grad.any()
    assert score.grad.item() == pytest.approx(0.5)  # towards absent


def test_the_loss_is_a_mean_over_objects() -> None:
    here, gone = half(), torch.zeros(1, 8, 8, dtype=torch.bool)
    logits = torch.randn(2, 1, 4, 4)
    both = prediction_loss(predicted(logits, 0.3, 1.0), torch.cat((here, gone)), LossWeights())
    each = [
        prediction_loss(predicted(logits[i : i + 1], 0.3, 1.0), t, LossWeights())
        for i, t in enumerate((here, gone))
    ]
    assert both.item() == pytest.approx(sum(x.item() for x in each) / 2, rel=1e-5)
