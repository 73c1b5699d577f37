"""Sample data: what it is, and that nobody waits for it."""

import time

import numpy as np
import pytest

from napari_sam2.plugin import samples
from napari_sam2.plugin.layer_axes import LayerAxes

# name, axes, colour, dtype, objects
SAMPLES = [
    ("cells", "YX", False, np.uint16, 60),
    ("dividing_nuclei", "TYX", False, np.uint16, 16),
    ("nuclei_stack", "ZYX", False, np.uint16, 36),
    ("colour_video", "TYX", True, np.uint8, 6),
]


@pytest.mark.parametrize(("name", "letters", "rgb", "dtype", "objects"), SAMPLES)
def test_an_image_with_its_truth_hidden(
    name: str, letters: str, rgb: bool, dtype: type, objects: int
) -> None:
    begun = time.process_time()
    (image, attributes, kind), (labels, truth, labels_kind) = getattr(samples, name)()
    assert time.process_time() - begun < 4  # well below 2 s on an idle machine
    assert (kind, labels_kind) == ("image", "labels")
    assert image.dtype == dtype
    assert image.shape == labels.shape + (3,) * rgb
    assert labels.max() == objects
    assert truth["visible"] is False
    assert attributes.get("rgb", False) is rgb
    assert truth["scale"] == attributes["scale"]
    assert "".join(attributes["axis_labels"]).upper() == letters
    axes = LayerAxes.guess(image.shape, attributes["axis_labels"], attributes["units"], rgb)
    assert axes.letters == letters + "C" * rgb


def test_slices_lie_further_apart_than_pixels() -> None:
    _, attributes, _ = samples.nuclei_stack()[0]
    depth, row, column = attributes["scale"]
    assert depth > 2 * row == 2 * column
    assert set(attributes["units"]) == {"micrometer"}


def test_the_video_has_colours() -> None:
    video, _, _ = samples.colour_video()[0]
    assert len(np.unique(video.reshape(-1, 3)[::97], axis=0)) > 500
    assert (video.max(axis=(0, 1, 2)) > 150).all()
