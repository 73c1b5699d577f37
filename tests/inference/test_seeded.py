import numpy as np
import pytest

from napari_sam2.errors import ImageError, Sam2Error
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.imaging.seeds import Seed
from napari_sam2.inference.everything_policy import SEEDED, SeededPolicy
from napari_sam2.inference.focus import Window
from napari_sam2.inference.found_masks import flatten
from napari_sam2.inference.matching import match, overlaps
from napari_sam2.inference.seeded import SeededEverything, windows_of
from napari_sam2.io.checkpoints import load_model
from napari_sam2.model.sam2 import SAM2

OPEN = SeededPolicy(largest=1e6).with_masks(pred_iou_thresh=0, stability_score_thresh=0)


def test_every_seed_has_one_window_with_room_round_it() -> None:
    rng = np.random.default_rng(0)
    seeds = [Seed(float(y), float(x), 6.0) for y, x in rng.uniform((0, 0), (300, 500), (200, 2))]
    policy = SeededPolicy(across=8, margin=2.0)
    groups = windows_of(seeds, (300, 500), policy, 128)
    assert sorted(s.y for own in groups.values() for s in own) == sorted(s.y for s in seeds)
    for window, own in groups.items():
        assert window.shape == (96, 96)
        for seed in own:
            edges = ((window.y0, seed.y, window.y1, 300), (window.x0, seed.x, window.x1, 500))
            for low, at, high, length in edges:
                assert low == 0 or at - low >= 2 * 6 - 1
                assert high == length or high - at >= 2 * 6 - 1


def test_windows_without_a_seed_are_not_looked_at() -> None:
    groups = windows_of([Seed(10.0, 10.0, 5.0)], (2000, 2000), SeededPolicy(), 128)
    assert list(groups) == [Window(0, 0, 80, 80)]


def test_a_plane_smaller_than_a_window_is_seen_whole() -> None:
    groups = windows_of([Seed(5.0, 5.0, 4.0)], (20, 30), SeededPolicy(), 384)
    assert list(groups) == [Window(0, 0, 20, 30)]
    narrow = windows_of([Seed(5.0, 300.0, 4.0)], (20, 600), SeededPolicy(), 384)
    assert all(window.shape == (20, 96) for window in narrow)


def test_seeds_can_be_given(small_model: SAM2) -> None:
    image = moving_nuclei(frames=1, height=64, width=72, objects=3, divisions=0, seed=1).images[0]
    told: list[tuple[int, int]] = []
    finder = SeededEverything(small_model, OPEN)
    found = finder.segment(image, seeds=[Seed(30.0, 40.0, 8.0)], on_part=lambda *done: told.append(done))
    assert told == [(1, 1)]
    assert found
    assert {(one.point.y, one.point.x) for one in found} == {(30.0, 40.0)}
    limited = SeededEverything(small_model, SeededPolicy(OPEN.seeds, OPEN.masks, largest=0.01))
    assert limited.segment(image, seeds=[Seed(30.0, 40.0, 8.0)]) == []


@pytest.mark.parametrize(
    "image", [np.full((64, 64), 9, np.uint8), np.zeros((3, 3), np.float32)], ids=["flat", "tiny"]
)
def test_an_empty_frame_has_no_objects(small_model: SAM2, image: np.ndarray) -> None:
    assert SeededEverything(small_model).segment(image) == []
    assert not flatten([], image.shape).any()


def test_what_is_no_image(small_model: SAM2) -> None:
    with pytest.raises(ImageError, match="shape"):
        SeededEverything(small_model).segment(np.zeros((2, 2, 2, 2)))


@pytest.mark.parametrize("fields", [{"across": 0.0}, {"margin": -1.0}, {"largest": float("nan")}])
def test_senseless_policies(fields: dict[str, float]) -> None:
    with pytest.raises(Sam2Error, match=next(iter(fields))):
        SeededPolicy(**fields)


def test_thresholds_by_name() -> None:
    assert SeededPolicy().with_masks(use_m2m=True).masks.use_m2m
    assert SeededPolicy().with_masks(use_m2m=True).masks.pred_iou_thresh == SEEDED.pred_iou_thresh


@pytest.mark.parametrize(("objects", "radius"), [(12, 9.0), (60, 6.0)])
def test_nano_finds_the_nuclei_of_a_phantom(objects: int, radius: float) -> None:
    """Few, and as many as there is room for."""
    phantom = moving_nuclei(
        frames=1, height=160, width=200, objects=objects, radius=radius, divisions=0, seed=2
    )
    truth = phantom.labels[0]
    labels = flatten(SeededEverything(load_model("nano", "cpu")).segment(phantom.images[0]), truth.shape)
    table = overlaps(truth, labels)
    hits = len(match(table.iou, 0.5))
    assert 2 * hits / (len(table.rows) + len(table.columns)) >= 0.8
