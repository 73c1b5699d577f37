"""Random scenes."""

import numpy as np
import pytest

from napari_sam2.imaging.scenes import SHARES, Family, scene


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("size", [(1, 96, 80), (4, 80, 112)])
def test_every_family_at_the_size_asked_for(family, size):
    for seed in range(3):
        made, again = (scene(np.random.default_rng(seed), family, *size) for _ in range(2))
        assert made.images.shape == made.labels.shape == size
        assert made.images.dtype in (np.uint8, np.uint16)
        assert made.labels.dtype == np.uint16
        assert np.array_equal(made.images, again.images)
        assert np.array_equal(made.labels, again.labels)


def test_chance_draws_families_polarities_and_depths():
    rng = np.random.default_rng(0)
    made = [scene(rng, None, 2, 64, 64) for _ in range(60)]
    assert {m.images.dtype.itemsize for m in made} == {1, 2}
    assert {m.axes for m in made} == {"TYX", "ZYX"}
    assert sum(bool(m.labels[0].any()) for m in made) > 50
    signs = {
        bool(m.images[m.labels > 0].mean() > m.images[m.labels == 0].mean())
        for m in made
        if (m.labels > 0).any() and (m.labels == 0).any()
    }
    assert signs == {True, False}


def test_shares_cover_every_family():
    assert set(SHARES) == set(Family)
    assert sum(SHARES.values()) == pytest.approx(1)
