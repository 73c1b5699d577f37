"""A clip through the network: what is counted, and what learns from it."""

import pytest
import torch

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import FrameMemory, ImageEmbedding
from napari_sam2.training import rollout as module
from napari_sam2.training.losses import LossWeights
from napari_sam2.training.rollout import Rollout, _slots, rollout

SIZE = 64


@pytest.fixture
def model(tiny: ModelConfig) -> SAM2:
    torch.manual_seed(0)
    model = SAM2(tiny).train()
    # Where an object counts as out of view, its pointer is another one.
    torch.nn.init.constant_(list(model.mask_decoder.pred_obj_score_head.parameters())[-1], 3.0)
    return model


def squares(frames: int) -> torch.Tensor:
    """Two squares that move to the right, (t, 2, s, s)."""
    masks = torch.zeros(frames, 2, SIZE, SIZE, dtype=torch.bool)
    for t in range(frames):
        masks[t, 0, 8:28, 8 + 4 * t : 28 + 4 * t] = True
        masks[t, 1, 36:52, 30 + 4 * t : 46 + 4 * t] = True
    return masks


def follow(
    model: SAM2, masks: torch.Tensor, corrections: int = 1, mask_prompts: float = 0.0, seed: int = 1
) -> Rollout:
    """A rollout on noise; both objects are in the same clip."""
    torch.manual_seed(seed)
    encoded = model.encode(torch.randn(len(masks), 3, SIZE, SIZE))
    maps = (encoded.features, encoded.middle, encoded.fine)
    both = torch.zeros(masks.shape[1], dtype=torch.long)
    embeddings = [ImageEmbedding(*(x[t : t + 1][both] for x in maps)) for t in range(len(masks))]
    return rollout(model, embeddings, masks, LossWeights(1.0, 5.0), corrections, mask_prompts)


def learning(model: SAM2, part: str) -> list[bool]:
    return [
        parameter.grad is not None and bool(parameter.grad.any())
        for name, parameter in model.named_parameters()
        if name.startswith(part)
    ]


@pytest.mark.parametrize("mask_prompts", [0.0, 1.0])
def test_gradients_reach_the_memory(model: SAM2, mask_prompts: float) -> None:
    result = follow(model, squares(3), mask_prompts=mask_prompts)
    result.loss.backward()
    for part in ("image_encoder.trunk", "mask_decoder", "memory_encoder", "memory_attention", "obj_ptr_proj"):
        share = learning(model, part)
        assert sum(share) > 0.7 * len(share), part
    # Two ages are in use: the neighbouring frame and the prompted one.
    used = model.maskmem_tpos_enc.grad.flatten(1).any(dim=1).tolist()
    assert used == [True, False, False, False, False, False, True]
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_no_gradient_for_memory_in_a_single_image(model: SAM2) -> None:
    result = follow(model, squares(1))
    assert result.tracked_iou is None
    result.loss.backward()
    assert not any(learning(model, "memory_attention"))
    assert all(learning(model, "no_mem_embed"))


@pytest.mark.parametrize(
    ("frames", "corrections", "mask_prompts", "expected"),
    [
        (1, 0, 0.0, 1),
        (1, 3, 0.0, 4),
        (1, 2, 1.0, 3),
        (3, 0, 0.0, 3),
        (3, 2, 0.0, 5),
        (3, 2, 1.0, 2),
        (2, 2, 1.0, 1),
    ],
)
def test_every_prediction_is_punished_once(
    model: SAM2,
    monkeypatch: pytest.MonkeyPatch,
    frames: int,
    corrections: int,
    mask_prompts: float,
    expected: int,
) -> None:
    losses = []

    def counted(*args: object) -> torch.Tensor:
        losses.append(real(*args))
        return losses[-1]

    real = module.prediction_loss
    monkeypatch.setattr(module, "prediction_loss", counted)
    result = follow(model, squares(frames), corrections, mask_prompts)
    assert len(losses) == expected
    assert result.loss.item() == pytest.approx(sum(loss.item() for loss in losses), rel=1e-5)
    assert 0 <= result.first_iou <= 1


def test_a_true_mask_to_start_from_is_not_scored(model: SAM2) -> None:
    result = follow(model, squares(3), mask_prompts=1.0)
    assert torch.isfinite(result.loss)
    assert result.loss > 0
    assert result.first_iou == 1.0
    assert result.tracked_iou is not None


def test_objects_may_vanish(model: SAM2) -> None:
    masks = squares(3)
    masks[1:, 0] = False
    result = follow(model, masks)
    assert torch.isfinite(result.loss)
    masks[1:] = False
    result = follow(model, masks)
    assert torch.isfinite(result.loss)
    assert result.tracked_iou == 1.0  # of nothing


def test_memory_is_laid_out_as_in_use() -> None:
    memories = [
        FrameMemory(torch.full((1, 2, 1, 1), float(t)), torch.full((1, 4), float(t))) for t in range(9)
    ]
    slots = _slots(memories, 9, 7)
    # The prompted frame, then six neighbours; the nearest has age 0, the prompted one the last.
    assert slots.features[0, :, 0, 0, 0].tolist() == [0, 3, 4, 5, 6, 7, 8]
    assert slots.ages == (6, 5, 4, 3, 2, 1, 0)
    assert slots.pointers[0, :, 0].tolist() == [0, 3, 4, 5, 6, 7, 8]
    assert slots.steps == pytest.approx([x / 15 for x in (9, 6, 5, 4, 3, 2, 1)])
    early = _slots(memories[:1], 1, 7)
    assert early.ages == (6,)
    assert early.steps == pytest.approx([1 / 15])
