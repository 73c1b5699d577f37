"""Sample data for napari's File > Open Sample menu: made microscopy, its exact truth as hidden labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam2.imaging.phantoms import Phantom

LayerData = tuple[Any, dict[str, Any], str]

# Size of a made pixel, in micrometers; that of a camera behind a common objective.
_PIXEL = 0.25


def cells() -> list[LayerData]:
    """Make one image of crowded nuclei and its exact labels.

    Returns
    -------
    list of layer data tuples
        An image layer, uint16 (H, W), and a hidden labels layer of the same shape.
    """
    from napari_sam2.imaging.phantoms import Phantom, crowded_nuclei

    phantom = crowded_nuclei(frames=1, height=320, width=320, objects=60, divisions=0, seed=3)
    return _layers("cells", Phantom(phantom.images[0], phantom.labels[0], {}, "YX"))


def dividing_nuclei() -> list[LayerData]:
    """Make a time-lapse of moving, dividing nuclei and its exact labels.

    Returns
    -------
    list of layer data tuples
        An image layer, uint16 (T, H, W), and a hidden labels layer of the same shape.
    """
    from napari_sam2.imaging.phantoms import moving_nuclei

    phantom = moving_nuclei(frames=30, height=256, width=256, objects=12, divisions=2, seed=0)
    return _layers("dividing nuclei", phantom)


def nuclei_stack() -> list[LayerData]:
    """Make a stack of nuclei whose slices lie further apart than its pixels, and its exact labels.

    Returns
    -------
    list of layer data tuples
        An image layer, uint16 (Z, H, W), and a hidden labels layer of the same shape.
    """
    from napari_sam2.imaging.phantoms import nuclei_volume

    phantom = nuclei_volume(depth=24, height=192, width=192, objects=36, seed=1, z_spacing=3.0)
    return _layers("nuclei in depth", phantom)


def colour_video() -> list[LayerData]:
    """Make a video in colour of shapes that pass each other, and its exact labels.

    Returns
    -------
    list of layer data tuples
        An RGB image layer, uint8 (T, H, W, 3), and a hidden labels layer (T, H, W).
    """
    import numpy as np

    from napari_sam2.imaging.overlay import color_of
    from napari_sam2.imaging.phantoms import passing_shapes

    phantom = passing_shapes(frames=24, height=192, width=256, objects=6, seed=4)
    low, high = np.percentile(phantom.images, (0.1, 99.9))
    gray = np.clip((phantom.images - low) / (high - low), 0, 1).astype(np.float32)
    # Half the colour of each shape, so that light and texture stay; the ground is a muted blue.
    colors = np.array([(0.55, 0.65, 0.8), *(color_of(n) for n in range(1, 1 + int(phantom.labels.max())))])
    tints = (0.5 + 0.5 * colors).astype(np.float32)[phantom.labels]
    video = np.round(255 * gray[..., None] * tints).astype(np.uint8)
    image, truth = _layers("passing shapes", phantom)
    return [(video, {**image[1], "rgb": True}, "image"), truth]


def _layers(name: str, phantom: Phantom) -> list[LayerData]:
    """Return a phantom as two layers that lie in the same place."""
    size = {"T": 1.0, "Z": phantom.z_spacing * _PIXEL}
    unit = {"T": "second"}
    known: dict[str, Any] = {
        "scale": [size.get(letter, _PIXEL) for letter in phantom.axes],
        "axis_labels": [letter.lower() for letter in phantom.axes],
        "units": [unit.get(letter, "micrometer") for letter in phantom.axes],
    }
    known = {key: value for key, value in known.items() if key in _supported()}
    truth = {"name": f"{name}, truth", "visible": False, **known}
    return [
        (phantom.images, {"name": name, **known}, "image"),
        (phantom.labels, truth, "labels"),
    ]


def _supported() -> frozenset[str]:
    """Return which of these a layer takes: the oldest napari that is supported knows no names and units."""
    import inspect
    import sys

    # Within napari it is there; outside nobody waits for it to be imported.
    layers = sys.modules.get("napari.layers")
    if layers is None:
        return frozenset({"scale", "axis_labels", "units"})
    return frozenset(inspect.signature(layers.Image.__init__).parameters)
