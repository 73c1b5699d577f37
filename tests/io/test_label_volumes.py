"""Labels of volumes, and of volumes in time, through the same writer."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import ImageError
from napari_sam2.io.images import open_image
from napari_sam2.io.labels import LabelWriter, read_provenance

LABELS = np.random.default_rng(0).integers(0, 300, (6, 5, 4)).astype(np.uint16)


def write(path: Path, depth: int, **options: object) -> None:
    with LabelWriter(path, LABELS.shape, depth=depth, **options) as writer:
        for frame in range(6):
            writer[frame] = LABELS[frame]


@pytest.mark.parametrize(("depth", "axes", "shape"), [(6, "ZYX", (6, 5, 4)), (3, "TZYX", (2, 3, 5, 4))])
def test_a_tiff_says_what_is_depth_and_what_is_time(
    tmp_path: Path, depth: int, axes: str, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "labels.tif"
    write(path, depth, provenance={"model": "nano"})
    with tifffile.TiffFile(path) as tiff:
        assert tiff.series[0].axes == axes
    with open_image(path) as image:
        assert (image.axes, image.shape) == (axes, shape)
    assert np.array_equal(tifffile.imread(path), LABELS.reshape(shape))
    assert read_provenance(path) == {"model": "nano"}


def test_a_numpy_file_has_the_shape(tmp_path: Path) -> None:
    write(tmp_path / "labels.npy", 2)
    assert np.array_equal(np.load(tmp_path / "labels.npy"), LABELS.reshape(3, 2, 5, 4))


@pytest.mark.parametrize("depth", [4, -3])
def test_volumes_are_whole(tmp_path: Path, depth: int) -> None:
    with pytest.raises(ImageError, match="6 slices cannot be cut"):
        LabelWriter(tmp_path / "labels.tif", (6, 5, 4), depth=depth)
