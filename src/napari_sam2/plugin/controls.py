"""Which controls work, and why the others do not: a table from the status."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from napari_sam2.plugin.status import Status


class Control(Enum):
    """What can be pressed."""

    PROMPT = "prompt"
    NEW_OBJECT = "new object"
    DELETE = "delete"
    MERGE = "merge"
    HIDE = "hide"
    COMMIT = "commit"
    RENAME = "rename"
    CLASSIFY = "classify"
    CLEAR = "clear prompts"
    FORWARD = "forward"
    BACKWARD = "backward"
    BOTH = "both"
    RESUME = "resume"
    STOP = "stop"
    UNDO = "undo"
    REDO = "redo"
    DIVIDE = "divide"
    NEXT_WORST = "next worst"
    SAVE = "save"
    OPEN = "open"
    EXPORT = "export"
    SCRIPT = "copy as script"
    RESTORE = "restore"


def controls_for(status: Status) -> Mapping[Control, str]:
    """Return why each control cannot work now; an empty text where it can.

    Parameters
    ----------
    status
        What the window stands at.
    """
    image = "" if status.image is not None else "Open an image first, for example File > Open Sample > SAM 2."
    objects = image or ("" if status.objects else "There is no object yet: click one in the image.")
    unlocked = objects or (
        "This object is committed: open it again in the table." if status.committed else ""
    )
    prompted = image or ("" if status.prompted else "Click an object first.")
    sequence = prompted or (
        "" if status.frames > 1 else "This is a single image: there is nothing to follow."
    )
    still = "A propagation is running: stop it first (Esc)." if status.running else ""
    masks = image or ("" if status.masks else "There is no mask yet: click an object first.")
    return {
        Control.PROMPT: image,
        Control.NEW_OBJECT: image,
        Control.DELETE: objects,
        Control.MERGE: objects or ("" if status.objects > 1 else "Merging takes two objects."),
        Control.HIDE: objects,
        Control.COMMIT: objects,
        Control.RENAME: objects,
        Control.CLASSIFY: objects,
        Control.CLEAR: unlocked
        or ("" if status.here else f"This object has no prompt on this {status.word}."),
        Control.FORWARD: still or sequence,
        Control.BACKWARD: still or sequence,
        Control.BOTH: still or sequence,
        Control.RESUME: still or ("" if status.unfinished else "No propagation was stopped."),
        Control.STOP: "" if status.running else "Nothing is running.",
        Control.UNDO: image or ("" if status.can_undo else "There is nothing to undo."),
        Control.REDO: image or ("" if status.can_redo else "There is nothing to redo."),
        Control.DIVIDE: unlocked
        or ("" if status.frame > 0 else f"On the first {status.word} nothing has divided."),
        Control.NEXT_WORST: masks,
        Control.SAVE: image,
        Control.OPEN: image,
        Control.EXPORT: masks,
        Control.SCRIPT: image,
        Control.RESTORE: image or ("" if status.restorable else "There is no earlier session of this image."),
    }
