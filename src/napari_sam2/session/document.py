"""What a session holds and saves: plain tables, and changes to them that can be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import FrameIndex, ObjectId, PromptSet
from napari_sam2.session.commands import Command, Propagate
from napari_sam2.session.lineage import Division
from napari_sam2.session.objects import CodedMask, FrameMask, SessionObject


class Kind(Enum):
    """The tables of a document."""

    OBJECT = "object"
    DIVISION = "division"
    PROMPT = "prompt"
    MASK = "mask"


@dataclass(frozen=True, slots=True)
class Place:
    """One entry: of an object, or (prompts and masks) of an object on a frame."""

    kind: Kind
    object_id: ObjectId
    frame: FrameIndex = -1


Value = SessionObject | Division | PromptSet | FrameMask


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What was at a place and what is there now; None for nothing."""

    before: Value | None
    after: Value | None


@dataclass(slots=True)
class Document:
    """Objects, divisions, prompts and masks, and the commands that led to them.

    Attributes
    ----------
    objects
        The object table.
    divisions
        By daughter.
    prompts, masks
        By object, then by frame.
    steps
        What was done and not undone, in order: carried out again it gives the same masks.
    unfinished
        What is left of a propagation that was stopped.
    """

    objects: dict[ObjectId, SessionObject] = field(default_factory=dict)
    divisions: dict[ObjectId, Division] = field(default_factory=dict)
    prompts: dict[ObjectId, dict[FrameIndex, PromptSet]] = field(default_factory=dict)
    masks: dict[ObjectId, dict[FrameIndex, FrameMask]] = field(default_factory=dict)
    steps: list[Command] = field(default_factory=list)
    unfinished: Propagate | None = None

    def read(self, place: Place) -> Value | None:
        """Return what is at a place."""
        table, key = self._table(place)
        value: Value | None = table.get(key)
        return value

    def write(self, place: Place, value: Value | None) -> None:
        """Put a value at a place, or take away what is there."""
        table, key = self._table(place)
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value

    def prompts_of(self, object_id: ObjectId) -> Mapping[FrameIndex, PromptSet]:
        """Return an object's prompts by frame."""
        return self.prompts.get(object_id, {})

    def masks_of(self, object_id: ObjectId) -> Mapping[FrameIndex, FrameMask]:
        """Return an object's masks by frame."""
        return self.masks.get(object_id, {})

    def everything(self) -> Iterable[Place]:
        """Return every place that holds something."""
        yield from (Place(Kind.OBJECT, key) for key in self.objects)
        yield from (Place(Kind.DIVISION, key) for key in self.divisions)
        yield from (Place(Kind.PROMPT, key, at) for key, table in self.prompts.items() for at in table)
        yield from (Place(Kind.MASK, key, at) for key, table in self.masks.items() for at in table)

    def _table(self, place: Place) -> tuple[dict[Any, Any], int]:
        if place.kind is Kind.OBJECT:
            return self.objects, place.object_id
        if place.kind is Kind.DIVISION:
            return self.divisions, place.object_id
        tables: dict[ObjectId, Any] = self.prompts if place.kind is Kind.PROMPT else self.masks
        return tables.setdefault(place.object_id, {}), place.frame


def runs_of(prompt: PromptSet) -> RunLengths | None:
    """Return the mask of a prompt, if it is one."""
    if prompt.mask is None:
        return None
    mask = prompt.mask.mask
    return mask.runs if isinstance(mask, CodedMask) else RunLengths.encode(mask)


def size_of(value: Value | None) -> int:
    """Return about how many bytes a value takes."""
    if isinstance(value, FrameMask):
        return value.nbytes
    if isinstance(value, PromptSet):
        runs = runs_of(value)
        return 64 * (1 + len(value.clicks)) + (0 if runs is None else int(runs.counts.nbytes))
    return 0 if value is None else 64
