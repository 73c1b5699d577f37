"""What a session is begun with, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.imaging.intensity import IntensityMap


@dataclass(frozen=True, slots=True)
class Choices:
    """Model, device and mapping.

    Attributes
    ----------
    model
        What `load_model` takes.
    device
        Where it runs; None for the best there is.
    intensity
        How pixel values become what the network sees; None for percentiles of the stack.
    """

    model: str = "nano"
    device: str | None = None
    intensity: IntensityMap | None = None
