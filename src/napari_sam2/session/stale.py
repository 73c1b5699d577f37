"""What has to be followed again, because something was said about it since."""

from __future__ import annotations

from collections.abc import Iterable

from napari_sam2.prompts import Direction, FrameIndex, ObjectId
from napari_sam2.session.commands import (
    Clean,
    ClearPrompt,
    Command,
    DeleteObject,
    Divide,
    MergeObjects,
    Prompt,
    Propagate,
    Relabel,
    Split,
)


def stale(steps: Iterable[Command], direction: Direction) -> dict[ObjectId, FrameIndex]:
    """Return the objects whose prompts changed since they were followed, and from which frame on.

    Parameters
    ----------
    steps
        What was done, in order.
    direction
        Which way: a propagation the other way does not count.

    Returns
    -------
    dict
        For each object the first such frame on the way (going backward, the highest).
    """
    found: dict[ObjectId, FrameIndex] = {}
    prompted: dict[ObjectId, set[FrameIndex]] = {}
    first = min if direction is Direction.FORWARD else max

    def said(frame: FrameIndex, object_id: ObjectId) -> None:
        found[object_id] = first(frame, found.get(object_id, frame))

    for step in steps:
        match step:
            case Prompt(frame, object_id):
                said(frame, object_id)
                prompted.setdefault(object_id, set()).add(frame)
            case ClearPrompt(frame, object_id):
                said(frame, object_id)
                prompted.get(object_id, set()).discard(frame)
            case Split(frame, object_id, others):
                for number in (object_id, *others):
                    said(frame, number)
                    prompted.setdefault(number, set()).add(frame)
            case Divide(frame, _, daughters, masks) if masks:
                for number in daughters:
                    prompted.setdefault(number, set()).add(frame)
            case Clean(_, object_ids, frames):
                # Where it was prompted, the cleaned mask is what it is followed from.
                for number in object_ids:
                    for frame in prompted.get(number, ()):
                        if frames is None or frame in frames:
                            said(frame, number)
            case Relabel(object_ids, numbers):
                new = dict(zip(object_ids, numbers, strict=True))
                found = {new.get(key, key): at for key, at in found.items()}
                prompted = {new.get(key, key): at for key, at in prompted.items()}
            case MergeObjects(object_id, others):
                for number in others:
                    prompted.setdefault(object_id, set()).update(prompted.pop(number, ()))
                at = [found.pop(other) for other in others if other in found]
                if at:
                    found[object_id] = first([*at, found.get(object_id, at[0])])
            case DeleteObject(object_id):
                found.pop(object_id, None)
                prompted.pop(object_id, None)
            case Propagate() if step.direction is direction:
                for object_id in step.object_ids:
                    if object_id in found and found[object_id] in step.frames:
                        del found[object_id]
    return found
