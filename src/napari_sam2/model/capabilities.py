"""What a network can do, and how it wants its inputs: asked of the model, never guessed from its class."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.model.fit import Fit


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A family of networks, as those see it that use one.

    Attributes
    ----------
    tracks
        Has a memory: can follow an object from frame to frame.
    judges_presence
        Says whether the object is in view at all (`MaskPrediction.object_score`).
    falls_back
        Was made to give way to the best of three masks where the single one is unstable.
    fit
        How an image lies in the square that the network takes.
    mask_logit
        Logit of the inside of a mask that a user gives; the outside has its negative.
    mask_limit
        Logits of an earlier prediction are clamped to plus and minus this before they are fed back.
    """

    tracks: bool
    judges_presence: bool
    falls_back: bool
    fit: Fit
    mask_logit: float
    mask_limit: float
