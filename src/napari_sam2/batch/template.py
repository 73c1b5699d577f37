"""What is said once and done to every file: the objects of a session, as a batch takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_sam2.batch.plan import Birth, ObjectPrompt, Way
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.prompts import ObjectId


@dataclass(frozen=True, slots=True)
class Template:
    """Objects that are looked for in each file alike.

    Attributes
    ----------
    prompts, names, births
        As of a `PlannedSequence`.
    model, policy, way
        How they were found; None to leave it to the plan.
    """

    prompts: tuple[ObjectPrompt, ...]
    names: Mapping[ObjectId, str] = field(default_factory=dict)
    births: tuple[Birth, ...] = ()
    model: str | None = None
    policy: TrackingPolicy | None = None
    way: Way | None = None
