"""What cleaning, splitting and renumbering do to a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import numpy as np

from napari_sam2.errors import PromptError
from napari_sam2.imaging import cleanup
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import MaskPrompt, ObjectId, PromptSet
from napari_sam2.session.access import begin_object, check_number, forget_object, open_object
from napari_sam2.session.commands import Clean, Relabel, Split
from napari_sam2.session.document import Document, Kind, Place
from napari_sam2.session.draft import Draft
from napari_sam2.session.engine import Engine
from napari_sam2.session.lineage import Division, daughters
from napari_sam2.session.objects import CodedMask, FrameMask, SessionObject


def cleaned(command: Clean, mask: FrameMask) -> RunLengths | None:
    """Return what cleaning makes of a mask; None where it changes nothing."""
    before = mask.runs.decode()
    after = cleanup.clean(before, command.tool, command.size)
    return None if np.array_equal(before, after) else RunLengths.encode(after)


def to_clean(command: Clean, document: Document) -> list[Place]:
    """Return the masks that a cleaning looks at."""
    return [
        Place(Kind.MASK, number, frame)
        for number in command.object_ids
        for frame in sorted(document.masks_of(number))
        if command.frames is None or frame in command.frames
    ]


def clean_masks(command: Clean, engine: Engine, draft: Draft) -> None:
    """Clean masks of objects.

    Where an object was prompted, the cleaned mask is painted in the place of the prompt, so that it stays and
    is followed. Elsewhere it stays what following found, and following again finds it anew: were it painted,
    the object would be held to every frame for good. An object of which nothing is left is forgotten, unless
    it divides or comes from a division.
    """
    document = draft.document
    for number in command.object_ids:
        open_object(document, number)
    emptied = set()
    for place in to_clean(command, document):
        number, frame = place.object_id, place.frame
        mask = document.masks_of(number)[frame]
        runs = cleaned(command, mask)
        if runs is None:
            continue
        said = frame in document.prompts_of(number)
        if said and runs.area:
            engine.prompt(draft, frame, number, PromptSet(mask=MaskPrompt(CodedMask(runs))), renew=True)
            continue
        if said:
            engine.clear(draft, frame, number)
        draft.write(place, replace(mask, runs=runs, painted=False))
        if not runs.area:
            emptied.add(number)
    for number in emptied:
        left = any(mask.runs.area for mask in document.masks_of(number).values())
        related = number in document.divisions or daughters(document.divisions, number)
        if not left and not related:
            forget_object(number, engine, draft)


def split_object(command: Split, engine: Engine, draft: Draft) -> None:
    """Cut an object's mask on a frame; every part becomes a painted mask, from which it is followed."""
    document, number, frame = draft.document, command.object_id, command.frame
    whole = open_object(document, number)
    mask = document.masks_of(number).get(frame)
    if mask is None or not mask.runs.area:
        raise PromptError(f"Object {number} has no mask on frame {frame} that could be split.")
    parts = cleanup.split(mask.runs.decode(), command.stroke)
    if len(parts) != 1 + len(command.others):
        raise PromptError(
            f"The stroke makes {len(parts)} parts of object {number}, but {len(command.others)} number(s) "
            "came for the new ones: give one for each part but the largest, or leave them out."
        )
    for other in command.others:
        begin_object(draft, other, f"Object {other}", whole.label_class)
    for one, part in zip((number, *command.others), parts, strict=True):
        prompt = PromptSet(mask=MaskPrompt(CodedMask(RunLengths.encode(part))))
        engine.prompt(draft, frame, one, prompt, renew=True)


def without_gaps(objects: Mapping[ObjectId, SessionObject]) -> dict[ObjectId, ObjectId]:
    """Return numbers from 1 on, in the objects' order, around those of committed ones."""
    kept = {key for key, row in objects.items() if row.committed}
    free = (number for number in count(1) if number not in kept)
    return {key: next(free) for key in sorted(objects.keys() - kept)}


def relabel_objects(command: Relabel, engine: Engine, draft: Draft) -> None:
    """Give objects other numbers; what was left of a stopped propagation is given up."""
    document, old, new = draft.document, command.object_ids, command.numbers
    if not old or len(old) != len(new) or len(set(old)) != len(old) or len(set(new)) != len(new):
        raise PromptError(f"Every object gets one new number of its own, got {old} to become {new}.")
    for number, target in zip(old, new, strict=True):
        open_object(document, number)
        check_number(target)
        if target in document.objects and target not in old:
            raise PromptError(
                f"There is an object {target} already: give it another number in the same step, or merge "
                "the two."
            )
    numbers = dict(zip(old, new, strict=True))
    moved = {}
    for place in list(document.everything()):
        value = document.read(place)
        if isinstance(value, Division):
            value = replace(value, mother=numbers.get(value.mother, value.mother))
        elif isinstance(value, SessionObject) and value.name == f"Object {place.object_id}":
            value = replace(value, name=f"Object {numbers.get(place.object_id, place.object_id)}")
        moved[replace(place, object_id=numbers.get(place.object_id, place.object_id))] = value
        if place.object_id in numbers:
            draft.write(place, None)
    for place, value in moved.items():
        if document.read(place) != value:
            draft.write(place, value)
    engine.renumber(draft, numbers)
    document.unfinished = None
