"""A small movie in which cells divide, go out of sight and overlap: what every format has to carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_sam2.io.results import Results

LENGTH, HEIGHT, WIDTH = 7, 40, 52
NAMES = {1: "mother", 2: "left", 3: "right", 7: "comes and goes", 9: "never seen"}
NOTES = {"model": "nano", "weights": "0123abcd", "policy": "TrackingPolicy()", "prompts": [{"frame": 0}]}


def _disk(y: float, x: float, radius: float) -> np.ndarray[Any, Any]:
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    return (ys - y) ** 2 + (xs - x) ** 2 <= radius**2


@dataclass(frozen=True)
class Scene:
    """masks[t][id] may overlap; labels has the pixels of the lower id on top."""

    masks: list[dict[int, np.ndarray[Any, Any]]]
    labels: np.ndarray[Any, Any]
    images: np.ndarray[Any, Any]
    confidence: list[dict[int, float]]

    def results(self, **more: Any) -> Results:
        options: dict[str, Any] = {
            "masks": lambda t: iter(sorted(self.masks[t].items())),
            "confidence": lambda t: self.confidence[t],
            "image": lambda t: self.images[t],
            "parents": {2: 1, 3: 1},
            "spacing": (30.0, 0.5, 0.25),
            "unit": "micrometer",
            "frame_unit": "second",
            "provenance": NOTES,
        }
        options |= more
        return Results(self.labels.shape, NAMES, lambda t: self.labels[t], **options)


def scene() -> Scene:
    masks: list[dict[int, np.ndarray[Any, Any]]] = []
    for t in range(LENGTH):
        now = {1: _disk(12, 14 + t, 7)} if t < 3 else {2: _disk(10, 10, 5), 3: _disk(18, 24, 5.5)}
        if t not in (2, 3, 5):
            now[7] = _disk(23, 20 + t, 6)
        masks.append(now)
    labels = np.zeros((LENGTH, HEIGHT, WIDTH), np.uint16)
    for t, found in enumerate(masks):
        for number in sorted(found, reverse=True):
            labels[t][found[number]] = number
    images = np.random.default_rng(0).integers(0, 4000, labels.shape).astype(np.uint16)
    trusted = [{number: round(0.9 - 0.1 * t, 3) for number in found} for t, found in enumerate(masks)]
    return Scene(masks, labels, images, trusted)
