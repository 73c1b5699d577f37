"""Nuclei in depth."""

import numpy as np
import pytest
from scipy import ndimage

from napari_sam2.imaging.optics import OFFSET
from napari_sam2.imaging.phantoms import Phantom, nuclei_volume, nuclei_volume_movie


@pytest.fixture(scope="module")
def movie() -> Phantom:
    return nuclei_volume_movie(6, 8, 72, 80, 8, 2, seed=1, radius=7)


def test_layout(movie):
    assert movie.axes == "TZYX"
    assert movie.images.shape == movie.labels.shape == (6, 8, 72, 80)
    assert movie.z_spacing == 2.5


def test_labels_are_whole_in_space_and_keep_through_time(movie):
    for stack in movie.labels:
        for label in np.unique(stack[stack > 0]):
            assert ndimage.label(stack == label)[1] == 1
    undivided = set(range(1, 9)) - set(movie.parents.values())
    for label in undivided:
        path = np.array([ndimage.center_of_mass(stack == label) for stack in movie.labels])
        assert np.linalg.norm(np.diff(path[:, 1:], axis=0), axis=1).max() < 6


def test_divisions_in_space(movie):
    assert len(movie.parents) == 4
    for mother in set(movie.parents.values()):
        birth = np.flatnonzero((movie.labels == mother).any((1, 2, 3)))[-1] + 1
        for daughter in (d for d, m in movie.parents.items() if m == mother):
            lived = np.flatnonzero((movie.labels == daughter).any((1, 2, 3)))
            assert np.array_equal(lived, np.arange(birth, 6))


def test_planes_lie_apart_as_the_spacing_says():
    def extent(z_spacing: float) -> np.ndarray:
        stack = nuclei_volume(24, 64, 64, 1, 3, radius=10, z_spacing=z_spacing)
        return np.ptp(np.argwhere(stack.labels), axis=0) + 1

    fine, coarse = extent(1.0), extent(4.0)
    assert fine[0] > 2.5 * coarse[0]


def test_blur_is_longest_along_the_depth():
    stack = nuclei_volume(40, 64, 64, 1, 0, radius=7, z_spacing=1.0, photons=3000)
    light = stack.images - OFFSET
    inside = stack.labels > 0
    z, y, x = (round(c) for c in ndimage.center_of_mass(inside))
    grown = np.argwhere(inside)
    (z0, y0, _), (z1, y1, _) = grown.min(0), grown.max(0)
    assert z1 + 3 < 40 or z0 >= 3
    above = light[z1 + 3, y, x] if z1 + 3 < 40 else light[z0 - 3, y, x]
    beside = light[z, y1 + 3, x] if y1 + 3 < 64 else light[z, y0 - 3, x]
    assert above > 1.3 * beside
