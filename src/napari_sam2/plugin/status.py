"""What the window stands at, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from napari_sam2.prompts import FrameIndex, ObjectId


class Tool(Enum):
    """What a gesture on the image means."""

    POINT = "point"
    BOX = "box"
    POLYGON = "polygon"
    PAINT = "paint"


class Model(Enum):
    """How far the network is."""

    NONE = "no model"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that decides which controls work and what they say.

    Attributes
    ----------
    image
        Name of the image layer; None without one.
    along
        T or Z; None for a single image.
    frames, frame
        How many there are, and which one is on screen.
    object_id
        The object that the next prompt is for.
    objects
        How many there are.
    prompted
        Whether any object has a prompt.
    here
        Whether the current object has a prompt on this frame.
    committed
        Whether the current object is protected.
    masks
        Whether any object has a mask.
    positive, tool
        What the next gesture says.
    model
        How far the network is.
    running
        Whether a propagation is under way.
    done, total, seconds_left
        How far it is; seconds None as long as nobody can say.
    unfinished
        Whether one was stopped that can go on.
    can_undo, can_redo
        Whether there is something to take back, or to do again.
    restorable
        Whether an earlier session of this image waits to be taken up.
    message
        What happened last, in a sentence.
    """

    image: str | None = None
    along: str | None = None
    frames: int = 0
    frame: FrameIndex = 0
    object_id: ObjectId = 1
    objects: int = 0
    prompted: bool = False
    here: bool = False
    committed: bool = False
    masks: bool = False
    positive: bool = True
    tool: Tool = Tool.POINT
    model: Model = Model.NONE
    running: bool = False
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    unfinished: bool = False
    can_undo: bool = False
    can_redo: bool = False
    restorable: bool = False
    message: str = ""

    @property
    def word(self) -> str:
        """What a frame is called in the user's face."""
        return "slice" if self.along == "Z" else "frame"
