"""Scenes whose truth is known."""

import numpy as np
import pytest
from scipy import ndimage

from napari_sam2.errors import ImageError
from napari_sam2.imaging.phantoms import moving_nuclei, textured_shapes


@pytest.fixture(scope="module")
def movie():
    return moving_nuclei(frames=20, height=128, width=144, objects=6, divisions=2, seed=3, radius=8)


def test_layout(movie):
    assert movie.images.shape == movie.labels.shape == (20, 128, 144)
    assert movie.images.dtype == movie.labels.dtype == np.uint16


def test_the_seed_decides(movie):
    again = moving_nuclei(frames=20, height=128, width=144, objects=6, divisions=2, seed=3, radius=8)
    other = moving_nuclei(frames=20, height=128, width=144, objects=6, divisions=2, seed=4, radius=8)
    assert np.array_equal(again.images, movie.images)
    assert np.array_equal(again.labels, movie.labels)
    assert again.parents == movie.parents
    assert not np.array_equal(other.labels, movie.labels)


def test_divisions_end_the_mother_and_start_two_neighbours(movie):
    assert len(movie.parents) == 4
    assert sorted(movie.parents) == [7, 8, 9, 10]
    for mother in set(movie.parents.values()):
        daughters = [label for label, parent in movie.parents.items() if parent == mother]
        frames = np.flatnonzero((movie.labels == mother).any((1, 2)))
        birth = frames[-1] + 1
        assert np.array_equal(frames, np.arange(birth))
        places = []
        for daughter in daughters:
            lived = np.flatnonzero((movie.labels == daughter).any((1, 2)))
            assert np.array_equal(lived, np.arange(birth, 20))
            places.append(ndimage.center_of_mass(movie.labels[birth] == daughter))
        assert len(daughters) == 2
        assert np.linalg.norm(np.subtract(*places)) < 20


def test_the_others_are_there_on_every_frame(movie):
    undivided = set(range(1, 7)) - set(movie.parents.values())
    for label in undivided:
        assert (movie.labels == label).sum((1, 2)).min() > 20


def test_objects_are_in_one_piece(movie):
    for frame in movie.labels:
        for label in np.unique(frame[frame > 0]):
            sizes = np.bincount(ndimage.label(frame == label)[0].ravel())[1:]
            assert sizes.max() >= 0.97 * sizes.sum()


def test_nuclei_move_but_do_not_jump(movie):
    label = min(set(range(1, 7)) - set(movie.parents.values()))
    path = np.array([ndimage.center_of_mass(frame == label) for frame in movie.labels])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert 0.1 < steps.mean() < 4
    assert steps.max() < 8


def test_nuclei_are_brighter_than_the_ground_and_everything_is_noisy(movie):
    inside = movie.images[movie.labels > 0].mean()
    ground = movie.images[0][ndimage.distance_transform_edt(movie.labels[0] == 0) > 8]
    assert inside > 3 * ground.mean()
    assert 10 < ground.std() < 0.5 * ground.mean()


def test_fewer_photons_are_noisier():
    def noise(photons):
        image = moving_nuclei(1, 64, 64, 1, 0, photons=photons).images[0] - 100.0
        return np.std(np.diff(image)) / image.max()

    assert noise(20) > 2 * noise(2000)


@pytest.mark.parametrize("seed", range(6))
def test_shapes(seed):
    phantom = textured_shapes(96, 80, 5, seed)
    assert phantom.images.shape == phantom.labels.shape == (1, 96, 80)
    assert phantom.parents == {}
    assert np.unique(phantom.labels).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.array_equal(phantom.images, textured_shapes(96, 80, 5, seed).images)


def test_shapes_come_in_both_polarities():
    scenes = [textured_shapes(64, 64, 3, seed) for seed in range(12)]
    signs = {bool(s.images[s.labels > 0].mean() > s.images[s.labels == 0].mean()) for s in scenes}
    assert signs == {True, False}


def test_an_empty_scene_is_noise_alone():
    assert not moving_nuclei(2, 32, 32, 0, 0).labels.any()
    assert textured_shapes(32, 32, 0).images.std() > 0


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: moving_nuclei(2, 64, 64, 40, 0), "40 object.*do not fit.*64 x 64"),
        (lambda: moving_nuclei(0), r"0 frame\(s\).*needs a frame"),
        (lambda: moving_nuclei(2, 8, 64, 1, 0), "8 x 64.*16 x 16"),
        (lambda: moving_nuclei(1, objects=3, divisions=1), "needs a frame before it"),
        (lambda: moving_nuclei(9, objects=1, divisions=2), "divides at most once"),
        (lambda: textured_shapes(20, 20, 90), "90 object.*radius 2"),
    ],
)
def test_scenes_that_cannot_be(build, words):
    with pytest.raises(ImageError, match=words):
        build()
