import numpy as np
import pytest

from napari_sam2.evaluation.clicks import ImagePrompts, ImageScore, click_through, worse
from napari_sam2.evaluation.methods import Focused, Predictor, WholeImage
from napari_sam2.evaluation.objects import Choice
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Box, Click, PromptSet
from tests.evaluation.conftest import disk, sequence_of

SHAPE = (40, 60)
LABELS = (disk(SHAPE, 12, 15, 6) * 2 + disk(SHAPE, 25, 45, 9) * 7).astype(np.uint8)
IMAGE = (LABELS > 0).astype(np.float32)


class Halving:
    """Finds the left half of what is under the first click, all of it from two clicks, nothing from three."""

    def __init__(self) -> None:
        self.asked: list[tuple[PromptSet, bool]] = []

    def set_image(self, image: np.ndarray) -> None:
        assert image is not None

    def predict(self, prompt: PromptSet, refine: bool = False) -> np.ndarray:
        self.asked.append((prompt, refine))
        if not prompt.clicks:
            return np.ones(SHAPE, dtype=bool)
        click = prompt.clicks[0]
        mask = LABELS[int(click.y), int(click.x)] == LABELS
        if len(prompt.clicks) == 1:
            mask = mask & (np.arange(SHAPE[1]) < click.x)
        return mask if len(prompt.clicks) < 3 else np.zeros(SHAPE, dtype=bool)


def test_every_prompt_of_every_object() -> None:
    predictor = Halving()
    scores = list(
        click_through(predictor, sequence_of(IMAGE[None], LABELS[None], "image"), ImagePrompts(3, True, True))
    )
    assert [(s.sequence, s.frame, s.object_id) for s in scores] == [("made", 0, 2), ("made", 0, 7)]
    for score in scores:
        truth = score.object_id == LABELS
        half = truth & (np.arange(SHAPE[1]) < (15 if score.object_id == 2 else 45))
        assert score.area == truth.sum()
        assert score.clicks == pytest.approx((half.sum() / truth.sum(), 1.0, 0.0))
        assert score.box == score.mask == pytest.approx(truth.sum() / truth.size)
        # The picture is that of the last click.
        assert score.last == 0.0
        assert score.found.area == 0
    prompts = predictor.asked[:5]
    assert [refine for _, refine in prompts] == [False, True, True, False, False]
    assert [len(prompt.clicks) for prompt, _ in prompts] == [1, 2, 3, 0, 0]
    assert prompts[0][0].clicks == (Click(12, 15),)
    assert prompts[1][0].clicks[1].positive and prompts[1][0].clicks[1].x >= 15
    # After two clicks all is right: the third is a negative one in the background, as the protocol has it.
    assert not prompts[2][0].clicks[2].positive
    assert prompts[3][0].box == Box(6, 9, 18, 21)


def test_box_alone() -> None:
    image = sequence_of(IMAGE[None], LABELS[None], "image")
    (score,) = click_through(Halving(), image, ImagePrompts(0), Choice(only=frozenset({7})))
    assert (score.clicks, score.mask, score.object_id) == ((), None, 7)
    assert score.found.area == LABELS.size
    assert score.last == score.box


def test_frames_without_truth_or_objects_are_left_out() -> None:
    labels = np.stack([LABELS, np.zeros_like(LABELS), LABELS])
    frames = sequence_of(np.stack([IMAGE] * 3), labels, annotated=(1, 2))
    assert {score.frame for score in click_through(Halving(), frames)} == {2}


def _score(*clicks: float) -> ImageScore:
    return ImageScore("a", 0, 1, 4, clicks, None, None, RunLengths.encode(np.zeros((1, 1), dtype=bool)))


def test_share_of_objects_that_clicks_spoil() -> None:
    scores = [_score(0.5, 0.9, 0.4), _score(0.5, 0.1, 0.5), _score(0.2, 0.3, 0.9), _score(0.9, 0.9, 0.1)]
    assert worse(scores) == 0.5
    assert worse(scores, then=2) == 0.25
    assert np.isnan(worse([]))


@pytest.mark.parametrize("method", [WholeImage, Focused])
def test_the_network_is_asked_in_its_own_way(method: type[Predictor], small_model: SAM2) -> None:
    image = np.random.default_rng(0).normal(size=(150, 150)).astype(np.float32)
    labels = disk((150, 150), 70, 60, 20).astype(np.uint8)
    sequence = sequence_of(image[None], labels[None], "image")
    predictor = method(small_model)  # type: ignore[call-arg]
    scores = list(click_through(predictor, sequence, ImagePrompts(2, True, True)))
    again = list(click_through(predictor, sequence, ImagePrompts(2, True, True)))
    (score,) = scores
    assert score.clicks == again[0].clicks
    assert score.box is not None and 0 <= score.box <= 1
    assert score.mask is not None and 0 <= score.mask <= 1
    assert score.found.shape == (150, 150)


def test_focused_equals_the_predictor_it_wraps(small_model: SAM2) -> None:
    from napari_sam2.inference.focus import FocusPredictor

    image = np.random.default_rng(0).normal(size=(150, 150)).astype(np.float32)
    clicks = (Click(70, 60), Click(90, 80, positive=False))
    plain, wrapped = FocusPredictor(small_model), Focused(small_model)
    plain.set_image(image)
    wrapped.set_image(image)
    first = plain.predict(clicks[:1])
    assert (wrapped.predict(PromptSet(clicks[:1])) == first.mask).all()
    second = plain.predict(clicks, before=first)
    assert (wrapped.predict(PromptSet(clicks), refine=True) == second.mask).all()
