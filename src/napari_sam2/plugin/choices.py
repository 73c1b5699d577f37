"""What a session is begun with, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.imaging.intensity import IntensityMap


@dataclass(frozen=True, slots=True)
class Choices:
    """Model, device, mapping, and what is kept.

    Attributes
    ----------
    model
        What `load_model` takes.
    device
        Where it runs; None for the best there is.
    intensity
        How pixel values become what the network sees; None for percentiles of the stack.
    autosave
        Whether the session is kept in case of a crash.
    effort
        Whether clicks and seconds are counted.
    """

    model: str = "nano"
    device: str | None = None
    intensity: IntensityMap | None = None
    autosave: bool = True
    effort: bool = True
