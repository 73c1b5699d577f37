"""Sample data for napari's File > Open Sample menu."""

from __future__ import annotations

from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def dividing_nuclei() -> list[LayerData]:
    """Make a time-lapse of moving, dividing nuclei and its exact labels.

    Returns
    -------
    list of layer data tuples
        An image layer, uint16 (T, H, W), and a hidden labels layer of the same shape.
    """
    from napari_sam2.imaging.phantoms import moving_nuclei

    phantom = moving_nuclei(frames=30, height=256, width=256, objects=12, divisions=2, seed=0)
    return [
        (phantom.images, {"name": "dividing nuclei"}, "image"),
        (phantom.labels, {"name": "dividing nuclei, truth", "visible": False}, "labels"),
    ]
