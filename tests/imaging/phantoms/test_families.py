"""What holds for every family: the seed decides, sizes agree, objects are whole, tracks keep their ids."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from napari_sam2.errors import ImageError
from napari_sam2.imaging.optics import OFFSET
from napari_sam2.imaging.phantoms import (
    Light,
    Phantom,
    Truth,
    budding_yeast,
    crowded_nuclei,
    em_membranes,
    epithelium,
    filaments,
    nuclei_volume,
    nuclei_volume_movie,
    passing_shapes,
    phase_cells,
    rods,
    walled_tissue,
)

Build = Callable[[int], Phantom]

MOVIES: dict[str, Build] = {
    "crowded nuclei": lambda seed: crowded_nuclei(5, 96, 80, 8, 1, 1, seed, radius=7),
    "phase cells": lambda seed: phase_cells(5, 96, 80, 4, seed, radius=11),
    "rods": lambda seed: rods(5, 96, 80, 6, seed, growth=0.15),
    "yeast": lambda seed: budding_yeast(5, 96, 80, 4, seed),
    "epithelium": lambda seed: epithelium(5, 96, 80, 20, 2, seed),
    "filaments": lambda seed: filaments(5, 96, 80, 4, seed),
    "shapes": lambda seed: passing_shapes(5, 96, 80, 4, seed, radius=14),
}
STACKS: dict[str, Build] = {
    "nuclei": lambda seed: nuclei_volume(5, 96, 80, 6, seed, radius=8),
    "tissue": lambda seed: walled_tissue(5, 96, 80, 20, seed),
    "bodies": lambda seed: em_membranes(5, 96, 80, 12, seed),
    "mitochondria": lambda seed: em_membranes(5, 96, 80, 8, seed, 1.5, truth=Truth.MITOCHONDRIA),
}
ALL = {**MOVIES, **STACKS}
# A crossing interrupts the thread below, and a shape in front cuts the one behind it.
WHOLE = [name for name in MOVIES if name not in ("filaments", "shapes")]


def _light(phantom: Phantom) -> np.ndarray:
    return phantom.images.astype(float) - OFFSET


@pytest.mark.parametrize("name", ALL)
def test_layout_and_seed(name):
    one, again, other = ALL[name](1), ALL[name](1), ALL[name](2)
    assert one.images.shape == one.labels.shape == (5, 96, 80)
    assert one.images.dtype == one.labels.dtype == np.uint16
    assert one.axes == ("TYX" if name in MOVIES else "ZYX")
    assert np.array_equal(one.images, again.images)
    assert np.array_equal(one.labels, again.labels)
    assert one.parents == again.parents
    assert not np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("seed", range(3))
def test_objects_of_movies_are_in_one_piece(name, seed):
    for frame in MOVIES[name](seed).labels:
        assert [ndimage.label(frame == label)[1] for label in np.unique(frame[frame > 0])] == [1] * (
            len(np.unique(frame)) - (frame == 0).any()
        )


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("seed", range(3))
def test_objects_of_stacks_are_in_one_piece_in_space(name, seed):
    labels = STACKS[name](seed).labels
    found = np.unique(labels[labels > 0])
    assert len(found) > 1
    assert [ndimage.label(labels == label)[1] for label in found] == [1] * len(found)


@pytest.mark.parametrize("name", MOVIES)
def test_a_label_means_the_same_object_on_the_next_frame(name):
    movie = MOVIES[name](3)
    overlaps = []
    for now, then in zip(movie.labels[:-1], movie.labels[1:], strict=True):
        for label in np.intersect1d(now[now > 0], then):
            if (now == label).sum() > 60:
                rivals = np.bincount(then[now == label])
                rivals[0] = 0
                overlaps.append(rivals.argmax() == label)
    assert len(overlaps) > 5
    assert np.mean(overlaps) > 0.9


@pytest.mark.parametrize("name", ["rods", "epithelium"])
def test_divisions_are_recorded(name):
    movie = MOVIES[name](0)
    assert movie.parents
    for mother in set(movie.parents.values()):
        daughters = [d for d, m in movie.parents.items() if m == mother]
        assert len(daughters) == 2
        frames = np.flatnonzero((movie.labels == mother).any((1, 2)))
        births = [np.flatnonzero((movie.labels == d).any((1, 2)))[0] for d in daughters]
        assert births == [frames[-1] + 1] * 2
        # The daughters lie where the mother was.
        place = ndimage.binary_dilation(movie.labels[frames[-1]] == mother, iterations=4)
        young = np.isin(movie.labels[births[0]], daughters)
        assert (young & place).sum() > 0.8 * young.sum()


def test_buds_sit_on_mothers_that_live_on():
    movie = budding_yeast(10, 128, 128, 5, 3)
    assert movie.parents
    for bud, mother in movie.parents.items():
        born = np.flatnonzero((movie.labels == bud).any((1, 2)))[0]
        assert (movie.labels[born:] == mother).any((1, 2)).all()
        near = ndimage.binary_dilation(movie.labels[born] == mother, iterations=3)
        assert (near & (movie.labels[born] == bud)).any()
        areas = (movie.labels[born:] == bud).sum((1, 2))
        assert areas[-1] > areas[0] or len(areas) < 3


@pytest.mark.parametrize("name", ["crowded nuclei", "filaments", "nuclei"])
def test_fluorescence_is_brighter_than_the_ground(name):
    phantom = ALL[name](0)
    assert _light(phantom)[phantom.labels > 0].mean() > 2 * _light(phantom)[phantom.labels == 0].mean()


def test_rods_are_dark_in_phase_contrast_and_bright_in_fluorescence():
    for light, sign in ((Light.PHASE, -1), (Light.FLUORESCENCE, 1)):
        movie = rods(2, 96, 96, 6, 0, light=light)
        inside, ground = (_light(movie)[(movie.labels > 0) == own].mean() for own in (True, False))
        assert sign * (inside - ground) > 0.2 * ground


def test_phase_cells_wear_halos():
    differences = []
    for seed in range(6):
        movie = phase_cells(1, 128, 128, 4, seed, radius=14, photons=5000)
        away = ndimage.distance_transform_edt(movie.labels[0] == 0)
        light = _light(movie)[0]
        differences.append(light[(away >= 1) & (away < 4)].mean() / light[away > 15].mean() - 1)
    assert np.median(differences) > 0.02


def test_walls_of_tissue_are_bright_and_membranes_of_neuropil_dark():
    sheet = epithelium(1, 128, 128, 25, 0, 0)
    edge = ndimage.grey_dilation(sheet.labels[0], (3, 3)) != ndimage.grey_erosion(sheet.labels[0], (3, 3))
    assert _light(sheet)[0][edge].mean() > 2 * _light(sheet)[0][~edge].mean()
    assert (sheet.labels > 0).mean() > 0.99
    stack = em_membranes(4, 128, 128, 12, 0)
    assert _light(stack)[stack.labels == 0].mean() < 0.7 * _light(stack)[stack.labels > 0].mean()


def test_mitochondria_are_darker_than_the_bodies_they_lie_in():
    found, bodies = (em_membranes(6, 128, 128, 10, 1, 2.0, truth=truth) for truth in reversed(Truth))
    assert np.array_equal(found.images, bodies.images)
    inside = found.labels > 0
    assert inside.any()
    assert (bodies.labels[inside] > 0).all()
    plain = (bodies.labels > 0) & ~inside
    assert _light(found)[inside].mean() < 0.8 * _light(found)[plain].mean()


def test_shapes_in_front_hide_those_behind():
    alone = {seed: passing_shapes(4, 96, 96, 1, seed, radius=25).labels for seed in range(20)}
    assert any((labels == 1).any() for labels in alone.values())
    movie = passing_shapes(8, 96, 96, 8, 2, radius=22)
    areas = np.array([(movie.labels == label).sum((1, 2)) for label in range(1, 9)])
    # With so many in so small a frame some area changes by half while the shape itself does not.
    assert (areas.max(1) > 2 * (areas.min(1) + 1)).any()


def test_no_objects_no_labels():
    for made in (rods(1, 32, 32, 0), phase_cells(1, 32, 32, 0), budding_yeast(1, 32, 32, 0)):
        assert not made.labels.any()
        assert made.images.std() > 0


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: phase_cells(2, 64, 64, 40), "do not fit"),
        (lambda: rods(0), r"0 frame\(s\)"),
        (lambda: budding_yeast(2, 32, 32, 9), "do not fit"),
        (lambda: filaments(1, 8, 64), "16 x 16 pixels"),
        (lambda: epithelium(1, 64, 64, 4, 1), "a division needs a frame before it"),
        (lambda: em_membranes(0), "at least 1 frame"),
        (lambda: walled_tissue(4, 128, 9), "128 x 9"),
        (lambda: nuclei_volume(4, 64, 64, -1), r"-1 object\(s\)"),
        (lambda: nuclei_volume_movie(2, objects=1, divisions=2), "divides at most once"),
        (lambda: passing_shapes(0), "at least 1 frame"),
    ],
)
def test_scenes_that_cannot_be(build, words):
    with pytest.raises(ImageError, match=words):
        build()
