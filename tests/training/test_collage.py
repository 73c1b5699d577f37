"""Movies cut from a still: objects go their own way, their labels go with them, ghosts do not stay."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.training.collage import collage

Scene = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def scene() -> Scene:
    """Six bright discs of different brightness on a dim grainy ground, (128, 160)."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:128, :160]
    labels = np.zeros((128, 160), np.uint16)
    image = rng.normal(20, 2, labels.shape)
    for number, (row, column) in enumerate([(30, 30), (30, 80), (30, 130), (95, 30), (95, 80), (95, 130)], 1):
        disc = (y - row) ** 2 + (x - column) ** 2 < 9**2
        labels[disc] = number
        image[disc] += 60 + 15 * number
    return image.clip(0, 255).astype(np.uint8), labels


def made(scene: Scene, seed: int, frames: int = 8) -> Scene:
    return collage(np.random.default_rng(seed), *scene, frames)


def test_shapes_and_types(scene: Scene) -> None:
    movie, labels = made(scene, 0, 5)
    assert movie.shape == labels.shape == (5, 128, 160)
    assert movie.dtype == np.uint8 and labels.dtype == np.uint16


def test_the_same_seed_gives_the_same_movie(scene: Scene) -> None:
    for one, other in zip(made(scene, 4), made(scene, 4), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (made(scene, 4)[0] != made(scene, 5)[0]).any()


def test_labels_lie_on_the_light(scene: Scene) -> None:
    for seed in range(4):
        movie, labels = made(scene, seed)
        for frame, truth in zip(movie, labels, strict=True):
            inside, outside = frame[truth > 0].mean(), np.median(frame[truth == 0])
            assert inside > outside + 10


def test_objects_move_each_its_own_way(scene: Scene) -> None:
    _, labels = made(scene, 1)
    shifts = []
    for number in range(1, 7):
        first, last = (np.argwhere(labels[t] == number) for t in (0, 7))
        if len(first) and len(last):
            shifts.append(last.mean(0) - first.mean(0))
    assert len(shifts) >= 3
    assert np.std(shifts, axis=0).max() > 0.5


def test_no_ghost_stays_where_an_object_was(scene: Scene) -> None:
    movie, labels = made(scene, 1)
    left = (scene[1] > 0) & (labels[-1] == 0)
    far = left & (np.abs(movie[-1].astype(float) - 20) > 40)
    # Light of a neighbour may reach over; the place as a whole is ground again.
    assert left.sum() > 50 and far.mean() < 0.02


def test_a_division_leaves_two_daughters_apart(scene: Scene) -> None:
    seen = 0
    for seed in range(30):
        _, labels = made(scene, seed)
        for fresh in np.unique(labels[labels > 6]):
            t = int(np.argmax((labels == fresh).any(axis=(1, 2))))
            if t == 0 or not (labels[t] == fresh).any():
                continue
            seen += 1
            assert not (labels[:t] == fresh).any()
            mothers = [n for n in range(1, 7) if (labels[t - 1] == n).any() and (labels[t] == n).any()]
            daughter = np.argwhere(labels[t] == fresh).mean(0)
            sisters = [np.argwhere(labels[t] == n).mean(0) for n in mothers]
            assert min(np.linalg.norm(daughter - s) for s in sisters) < 30
    assert seen > 5


def test_an_object_may_leave_the_picture(scene: Scene) -> None:
    image, labels = scene
    corner = np.ascontiguousarray(image[20:, 20:]), np.ascontiguousarray(labels[20:, 20:])
    for seed in range(10):
        movie, _ = collage(np.random.default_rng(seed), *corner, 12)
        assert movie.shape == (12, 108, 140)


def test_a_picture_full_of_objects_has_a_ground_too(scene: Scene) -> None:
    image, _ = scene
    everywhere = np.arange(1, 5, dtype=np.uint16).repeat(32)[:, None].repeat(160, 1)
    movie, labels = collage(np.random.default_rng(0), image, everywhere, 3)
    assert np.isfinite(movie).all() and labels.any()
