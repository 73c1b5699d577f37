"""A clip through the network: what is counted, and what learns from it."""

import pytest
import torch

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import FrameMemory, ImageEmbedding, MemorySlots
from napari_sam2.training import rollout as module
from napari_sam2.training.losses import LossWeights
from napari_sam2.training.prompting import FirstPrompt, PromptPlan
from napari_sam2.training.rollout import Rollout, _Recollections, rollout

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


CLICK = PromptPlan(FirstPrompt.CLICK, (0,), (0,))
MASK = PromptPlan(FirstPrompt.MASK, (0,), ())


def follow(
    model: SAM2, masks: torch.Tensor, plan: PromptPlan = CLICK, corrections: int = 1, seed: int = 1
) -> Rollout:
    """A rollout on noise; both objects are in the same clip."""
    torch.manual_seed(seed)
    encoded = model.encode(torch.randn(len(masks), 3, SIZE, SIZE))
    maps = (encoded.features, encoded.middle, encoded.fine)
    both = torch.zeros(masks.shape[1], dtype=torch.long)
    embeddings = [ImageEmbedding(*(x[t : t + 1][both] for x in maps)) for t in range(len(masks))]
    return rollout(model, embeddings, masks, LossWeights(1.0, 5.0), corrections, plan)


def learning(model: SAM2, part: str) -> list[bool]:
    return [
        parameter.grad is not None and bool(parameter.grad.any())
        for name, parameter in model.named_parameters()
        if name.startswith(part)
    ]


@pytest.mark.parametrize("plan", [CLICK, MASK])
def test_gradients_reach_the_memory(model: SAM2, plan: PromptPlan) -> None:
    result = follow(model, squares(3), plan)
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


BOTH = PromptPlan(FirstPrompt.BOX, (0, 2), (0, 2))
LATE = PromptPlan(FirstPrompt.CLICK, (0,), (0, 2))


@pytest.mark.parametrize(
    ("frames", "corrections", "plan", "expected"),
    [
        (1, 0, CLICK, 1),
        (1, 3, CLICK, 4),
        (3, 0, CLICK, 3),
        (3, 2, CLICK, 5),
        (3, 2, MASK, 2),
        (3, 2, PromptPlan(FirstPrompt.MASK, (0, 2), ()), 1),
        (3, 2, BOTH, 7),
        (3, 2, LATE, 7),
        (2, 2, PromptPlan(FirstPrompt.MASK, (0, 1), ()), 0),
    ],
)
def test_every_prediction_is_punished_once(
    model: SAM2,
    monkeypatch: pytest.MonkeyPatch,
    frames: int,
    corrections: int,
    plan: PromptPlan,
    expected: int,
) -> None:
    losses = []

    def counted(*args: object) -> torch.Tensor:
        losses.append(real(*args))
        return losses[-1]

    real = module.prediction_loss
    monkeypatch.setattr(module, "prediction_loss", counted)
    result = follow(model, squares(frames), plan, corrections)
    assert len(losses) == expected
    assert result.loss.item() == pytest.approx(sum(loss.item() for loss in losses), rel=1e-5)
    assert (result.first_iou is None) == (plan.first is FirstPrompt.MASK)
    assert (result.tracked_iou is None) == (len(plan.prompted) == frames)


def asked(
    model: SAM2, masks: torch.Tensor, plan: PromptPlan, corrections: int, **found: list[object]
) -> None:
    """Run a rollout and note what `recall` and `decode` were asked for."""
    recall, decode = model.recall, model.decode

    def recalled(embedding: ImageEmbedding, slots: MemorySlots | None) -> torch.Tensor:
        found["slots"].append(slots)
        return recall(embedding, slots)

    def decoded(*args: object, multimask: bool) -> object:
        found["multimask"].append(multimask)
        return decode(*args, multimask=multimask)

    model.recall, model.decode = recalled, decoded
    try:
        follow(model, masks, plan, corrections)
    finally:
        del model.recall, model.decode


def test_three_masks_are_tried_where_one_click_or_none_was_given(model: SAM2) -> None:
    multimask: list[object] = []
    asked(model, squares(3), LATE, 2, slots=[], multimask=multimask)
    # One click, two corrections; nothing on frame 1; nothing, one and two clicks on frame 2.
    assert multimask == [True, False, False, True, True, True, False]
    multimask.clear()
    asked(model, squares(1), PromptPlan(FirstPrompt.BOX, (0,), (0,)), 1, slots=[], multimask=multimask)
    assert multimask == [False, False]


def test_prompted_frames_see_no_memory_and_the_others_what_the_bank_selects(model: SAM2) -> None:
    slots: list[object] = []
    asked(model, squares(5), PromptPlan(FirstPrompt.BOX, (0, 3), (0, 3)), 0, slots=slots, multimask=[])
    prompted, others = slots[:2], slots[2:]
    assert prompted == [None, None]
    one, two, four = others
    # Rows of the code: 6 for prompted frames, and 0 for the neighbour.
    assert [s.ages for s in others] == [(6, 6), (6, 6, 0), (6, 6, 2, 1)]
    # Pointers of prompted frames count only behind the frame, those of tracked ones follow.
    assert one.steps == pytest.approx([1 / 15])
    assert two.steps == pytest.approx([2 / 15, 1 / 15])
    assert four.steps == pytest.approx([4 / 15, 1 / 15, 2 / 15, 3 / 15])
    assert all(s.pointers.shape[1] == len(s.steps) for s in others)


def test_a_corrected_frame_becomes_a_prompted_one(model: SAM2) -> None:
    slots: list[object] = []
    asked(model, squares(4), PromptPlan(FirstPrompt.CLICK, (0,), (0, 1)), 1, slots=slots, multimask=[])
    assert [s.ages for s in slots[1:]] == [(6,), (6, 6), (6, 6, 0)]


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
    known = _Recollections()
    for t in range(9):
        memory = FrameMemory(torch.full((1, 2, 1, 1), float(t)), torch.full((1, 4), float(t)))
        known.keep(t, memory, prompted=t == 0)
    slots = known.slots(9, 7)
    # The prompted frame, then six neighbours from far to near; pointers from near to far.
    assert slots.features[0, :, 0, 0, 0].tolist() == [0, 3, 4, 5, 6, 7, 8]
    assert slots.ages == (6, 5, 4, 3, 2, 1, 0)
    assert slots.pointers[0, :, 0].tolist() == [0, 8, 7, 6, 5, 4, 3, 2, 1]
    assert slots.steps == pytest.approx([x / 15 for x in (9, 1, 2, 3, 4, 5, 6, 7, 8)])
