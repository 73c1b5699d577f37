"""What is written down about a step as soon as it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_sam2.session.commands import Command, Propagate
from napari_sam2.session.document import Change, Place


@dataclass(frozen=True, slots=True, eq=False)
class StepNote:
    """One change of a document.

    Attributes
    ----------
    changes
        Places and what is there now.
    dropped
        How many of the newest steps are no longer true.
    command
        The step that takes their place; None for none.
    unfinished
        What is left of a propagation.
    """

    changes: Mapping[Place, Change]
    dropped: int
    command: Command | None
    unfinished: Propagate | None
