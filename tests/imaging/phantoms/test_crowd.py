"""Nuclei in a crowd: their divisions and deaths look as they should, and the truth says so."""

import numpy as np
import pytest
from scipy import ndimage

from napari_sam2.errors import ImageError
from napari_sam2.imaging.optics import OFFSET
from napari_sam2.imaging.phantoms import Phantom, Stain, crowded_nuclei

CLEAN = Stain(spread=0.1, photons=500.0, ground=0.05, share=0.0)


def _lived(movie: Phantom, label: int) -> np.ndarray:
    return np.flatnonzero((movie.labels == label).any((1, 2)))


def _axes(mask: np.ndarray) -> np.ndarray:
    """Deviations of the pixels of a mask along its short and long axis."""
    return np.sqrt(np.linalg.eigvalsh(np.cov(np.argwhere(mask).T)))


@pytest.fixture(scope="module")
def divisions() -> Phantom:
    return crowded_nuclei(16, 160, 160, 6, 4, 0, seed=2, radius=11, crowding=0, stain=CLEAN)


def _events(movie: Phantom) -> dict[int, int]:
    """Mother's label to the frame of the division, for those that are whole before and after it."""
    found = {}
    for mother in set(movie.parents.values()):
        frames = _lived(movie, mother)
        family = [mother, *(d for d, m in movie.parents.items() if m == mother)]
        rim = np.concatenate([movie.labels[:, [0, -1]].ravel(), movie.labels[:, :, [0, -1]].ravel()])
        if not np.isin(family, rim).any():
            found[mother] = int(frames[-1]) + 1
    return found


def test_a_mother_ends_where_two_daughters_begin(divisions):
    assert len(divisions.parents) == 8
    assert sorted(divisions.parents) == list(range(7, 15))
    events = _events(divisions)
    assert events
    for mother, birth in events.items():
        assert np.array_equal(_lived(divisions, mother), np.arange(birth))
        daughters = [d for d, m in divisions.parents.items() if m == mother]
        assert len(daughters) == 2
        assert all(np.array_equal(_lived(divisions, d), np.arange(birth, 16)) for d in daughters)


def test_the_plate_is_bright_and_thin_and_daughters_leave_across_it(divisions):
    late = {mother: birth for mother, birth in _events(divisions).items() if 8 <= birth < 14}
    assert late
    for mother, birth in late.items():
        plate = divisions.labels[birth - 1] == mother
        short, long = _axes(plate)
        assert long > 2 * short
        before = divisions.images[0][divisions.labels[0] == mother].mean() - OFFSET
        assert divisions.images[birth - 1][plate].mean() - OFFSET > 1.2 * before
        daughters = [d for d, m in divisions.parents.items() if m == mother]
        gaps = []
        for labels in divisions.labels[birth : birth + 3]:
            gaps.append(np.linalg.norm(np.subtract(*ndimage.center_of_mass(labels > 0, labels, daughters))))
        assert gaps == sorted(gaps)
        assert gaps[-1] > 1.3 * gaps[0]


def test_daughters_swell():
    movie = crowded_nuclei(24, 128, 128, 1, 1, 0, seed=5, radius=12, crowding=0, stain=CLEAN)
    (daughter, _) = movie.parents
    lived = _lived(movie, daughter)
    areas = [(movie.labels[t] == daughter).sum() for t in lived]
    assert len(lived) > 8
    assert areas[8] > 2 * areas[0]


def test_the_dead_leave_crumbs_that_are_nobodys():
    movie = crowded_nuclei(12, 96, 96, 1, 0, 1, seed=5, radius=12, crowding=0, stain=CLEAN)
    end = int(_lived(movie, 1)[-1])
    assert 3 < end < 11
    last = movie.labels[end] == 1
    assert last.sum() < 0.6 * (movie.labels[0] == 1).sum()
    after = movie.images[end + 1]
    assert not movie.labels[end + 1].any()
    crumbs = after > 5 * np.median(after)
    assert 10 < crumbs.sum() < 0.8 * (movie.labels[0] == 1).sum()
    assert np.linalg.norm(np.subtract(ndimage.center_of_mass(crumbs), ndimage.center_of_mass(last))) < 12


def test_crowding_brings_neighbours_near():
    def touching(crowding):
        found = 0
        for seed in range(5):
            labels = crowded_nuclei(1, 192, 192, 20, 0, 0, seed, crowding=crowding).labels[0]
            near = ndimage.grey_dilation(labels, (5, 5))
            found += ((labels > 0) & (near > labels)).sum()
        return found

    assert touching(1.0) > 3 * touching(0.0)


def test_brightness_spreads_as_asked():
    def ratio(spread):
        stain = Stain(spread=spread, photons=500, share=0.0)
        movie = crowded_nuclei(1, 256, 256, 24, 0, 0, 3, stain=stain)
        present = np.unique(movie.labels)[1:]
        means = ndimage.mean(movie.images[0] - OFFSET, movie.labels[0], present)
        return np.percentile(means, 90) / np.percentile(means, 10)

    assert ratio(1.0) > 4
    assert ratio(0.1) < 2.5


def test_the_foot_of_the_blur_reaches_beyond_the_outline():
    def beyond(share):
        stain = Stain(spread=0.0, photons=5000, ground=0.0, sharp=0.8, wide=6.0, share=share)
        movie = crowded_nuclei(1, 128, 128, 1, 0, 0, 0, radius=14, crowding=0, stain=stain)
        away = ndimage.distance_transform_edt(movie.labels[0] == 0)
        light = movie.images[0] - OFFSET
        return light[(away > 4) & (away < 8)].mean() / light[movie.labels[0] > 0].mean()

    assert beyond(0.0) < 0.01
    assert beyond(0.4) > 0.04


def test_each_goes_its_own_way():
    movie = crowded_nuclei(12, 256, 256, 12, 0, 0, seed=4, speed=2.0, crowding=0)
    rim = np.unique(np.concatenate([movie.labels[:, [0, -1]].ravel(), movie.labels[:, :, [0, -1]].ravel()]))
    inner = np.setdiff1d(np.arange(1, 13), rim)
    assert len(inner) >= 5
    first, last = (np.array(ndimage.center_of_mass(x > 0, x, inner)) for x in movie.labels[[0, -1]])
    ways = last - first
    assert np.linalg.norm(ways - ways.mean(0), axis=1).mean() > 2


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: crowded_nuclei(8, 64, 64, 40), "do not fit"),
        (lambda: crowded_nuclei(8, 192, 192, 3, 4), "divides at most once"),
        (lambda: crowded_nuclei(8, 192, 192, 3, 2, 2), "either divides or dies"),
    ],
)
def test_crowds_that_cannot_be(build, words):
    with pytest.raises(ImageError, match=words):
        build()
