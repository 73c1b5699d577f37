import numpy as np
import pytest
from scipy import ndimage

from napari_sam2.errors import ImageError, Sam2Error
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.imaging.seeds import SeedPolicy, find_seeds


def disks(places: list[tuple[int, int, float]], shape: tuple[int, int] = (120, 140)) -> np.ndarray:
    rows, columns = np.indices(shape)
    image = np.zeros(shape)
    for y, x, radius in places:
        image[np.hypot(rows - y, columns - x) <= radius] = 100
    return image


def noisy(image: np.ndarray, ground: float = 20.0, noise: float = 3.0) -> np.ndarray:
    return image + ground + np.random.default_rng(0).normal(0, noise, image.shape)


PLACES = [(30, 30, 12.0), (30, 60, 12.0), (80, 40, 12.0), (85, 100, 12.0)]


@pytest.mark.parametrize("sign", [1, -1])
def test_one_seed_in_the_middle_of_each_disk(sign: int) -> None:
    seeds = find_seeds(sign * noisy(disks(PLACES)))
    assert len(seeds) == len(PLACES)
    for y, x, radius in PLACES:
        nearest = min(seeds, key=lambda seed: np.hypot(seed.y - y, seed.x - x))
        assert np.hypot(nearest.y - y, nearest.x - x) < 4
        assert nearest.radius == pytest.approx(radius, abs=2)


def test_touching_disks_have_a_seed_each() -> None:
    seeds = find_seeds(noisy(disks([(50, 40, 14.0), (50, 64, 14.0), (90, 110, 14.0)])))
    assert len(seeds) == 3


def test_dim_objects_beside_bright_ones() -> None:
    image = disks(PLACES[:2]) + 0.15 * disks(PLACES[2:])
    assert len(find_seeds(noisy(image, noise=1.0))) == 4


def test_objects_on_a_common_glow() -> None:
    glow = 60 * ndimage.gaussian_filter(disks([(60, 70, 45.0)]) / 100, 8)
    places = [(60 + 20 * i, 70 + 20 * j, 6.0) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    seeds = find_seeds(noisy(disks(places) + glow, noise=1.0))
    for y, x, _ in places:
        assert min(np.hypot(seed.y - y, seed.x - x) for seed in seeds) < 5


def test_nuclei_of_a_phantom() -> None:
    phantom = moving_nuclei(frames=1, height=256, width=256, objects=20, divisions=0, seed=4)
    hit = [phantom.labels[0][round(s.y), round(s.x)] for s in find_seeds(phantom.images[0])]
    there = set(np.unique(phantom.labels[0])) - {0}
    assert len(set(hit) & there) >= 0.9 * len(there)
    assert hit.count(0) <= 0.2 * len(hit)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 2.0])
def test_nothing_but_noise_has_no_seeds(sigma: float) -> None:
    noise = np.random.default_rng(1).normal(100, 10, (150, 150))
    assert find_seeds(ndimage.gaussian_filter(noise, sigma) if sigma < 1 else np.full((50, 50), 7)) == ()


def test_a_frame_full_of_objects_stays_within_its_limit() -> None:
    places = [(y, x, 3.0) for y in range(5, 120, 8) for x in range(5, 140, 8)]
    image = noisy(disks(places), noise=1.0)
    assert len(find_seeds(image)) >= 0.9 * len(places)
    assert len(find_seeds(image, SeedPolicy(most=50))) == 50


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (5, 7)])
def test_tiny_planes(shape: tuple[int, int]) -> None:
    image = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    for seed in find_seeds(image):
        assert 0 <= seed.y < shape[0]
        assert 0 <= seed.x < shape[1]


def test_colour_and_integers_give_the_same_as_gray() -> None:
    gray = noisy(disks(PLACES)).round().astype(np.uint8)
    assert find_seeds(np.stack([gray] * 3, axis=-1)) == find_seeds(gray)


def test_the_side_can_be_given() -> None:
    image = noisy(disks(PLACES))
    inside = disks(PLACES) > 0
    dark = find_seeds(image, SeedPolicy(bright=False))
    assert dark
    assert not any(inside[round(seed.y), round(seed.x)] for seed in dark)


def test_what_is_no_image() -> None:
    with pytest.raises(ImageError, match="shape"):
        find_seeds(np.zeros((2, 3, 4, 5)))
    with pytest.raises(ImageError, match="no numbers"):
        find_seeds(np.full((5, 5), np.nan))


@pytest.mark.parametrize("fields", [{"smooth": -1.0}, {"around": float("nan")}, {"most": 0}])
def test_senseless_policies(fields: dict[str, float]) -> None:
    with pytest.raises(Sam2Error, match=next(iter(fields))):
        SeedPolicy(**fields)
