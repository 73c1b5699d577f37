"""What has to be followed again, because something was said about it since."""

from __future__ import annotations

from collections.abc import Iterable

from napari_sam2.prompts import Direction, FrameIndex, ObjectId
from napari_sam2.session.commands import (
    ClearPrompt,
    Command,
    DeleteObject,
    MergeObjects,
    Prompt,
    Propagate,
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
    first = min if direction is Direction.FORWARD else max
    for step in steps:
        match step:
            case Prompt(frame, object_id) | ClearPrompt(frame, object_id):
                found[object_id] = first(frame, found.get(object_id, frame))
            case MergeObjects(object_id, others):
                at = [found.pop(other) for other in others if other in found]
                if at:
                    found[object_id] = first([*at, found.get(object_id, at[0])])
            case DeleteObject(object_id):
                found.pop(object_id, None)
            case Propagate() if step.direction is direction:
                for object_id in step.object_ids:
                    if object_id in found and found[object_id] in step.frames:
                        del found[object_id]
    return found
