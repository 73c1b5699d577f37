"""Training works: from nothing to objects under clicks, on images that were never seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.imaging.phantoms.phantom import Phantom
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.loop import Weights, train_stage
from napari_sam2.training.presets import TINY, TINY_STILLS
from napari_sam2.training.recordings import Kind, Recording
from napari_sam2.training.step_clips import StepClips


def nuclei(seed: int) -> Phantom:
    """Two to four nuclei in one frame of 64 pixels."""
    rng = np.random.default_rng(seed)
    return moving_nuclei(1, 64, 64, int(rng.integers(2, 5)), 0, seed, rng.uniform(6, 11), 1.0, 200.0)


def one_click_iou(weights: Weights, phantoms: list[Phantom]) -> float:
    model = SAM2(TINY).eval()
    model.load_official(weights)
    predictor, reached = ImagePredictor(model), []
    for phantom in phantoms:
        predictor.set_image(phantom.images[0])
        for number in np.unique(phantom.labels)[1:]:
            truth = phantom.labels[0] == number
            found = predictor.predict((first_click(truth),), multimask=True).best().masks()[0, 0].numpy()
            reached.append((truth & found).sum() / (truth | found).sum())
    return float(np.mean(reached))


@pytest.mark.slow
def test_one_click_iou_rises_on_unseen_phantoms(tmp_path: Path) -> None:
    seen = [Recording.build(Kind.PHANTOM, p.images, p.labels) for p in map(nuclei, range(40))]
    unseen = [nuclei(seed) for seed in range(1000, 1012)]
    torch.manual_seed(0)
    assert one_click_iou(SAM2(TINY).to_official(), unseen) < 0.2
    config = replace(TINY_STILLS, steps=180)
    clips = StepClips(seen, config.batch, seed=0, size=config.size, max_objects=config.objects)
    weights = train_stage(None, TINY, config, clips, tmp_path)
    assert one_click_iou(weights, unseen) > 0.5
