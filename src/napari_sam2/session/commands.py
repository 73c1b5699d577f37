"""What a user can do to a session, as values: logged, saved, done again and told as Python."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.imaging.cleanup import CleanUp
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import Box, Click, Direction, FrameIndex, ObjectId


@dataclass(frozen=True, slots=True)
class AddObject:
    """Begin a new object."""

    object_id: ObjectId
    name: str


@dataclass(frozen=True, slots=True)
class RenameObject:
    """Call an object something else."""

    object_id: ObjectId
    name: str


@dataclass(frozen=True, slots=True)
class ClassifyObject:
    """Say what an object is; an empty class says that nobody knows."""

    object_id: ObjectId
    label_class: str


@dataclass(frozen=True, slots=True)
class HideObject:
    """Leave an object out of the labels, or show it again."""

    object_id: ObjectId
    hidden: bool


@dataclass(frozen=True, slots=True)
class CommitObject:
    """Protect an object from every change, or open it again."""

    object_id: ObjectId
    committed: bool


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Forget an object."""

    object_id: ObjectId


@dataclass(frozen=True, slots=True)
class MergeObjects:
    """Give the pixels of `others` to an object, and forget them."""

    object_id: ObjectId
    others: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Say where an object is on a frame."""

    frame: FrameIndex
    object_id: ObjectId
    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    mask: RunLengths | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True)
class ClearPrompt:
    """Take back an object's prompts on a frame."""

    frame: FrameIndex
    object_id: ObjectId


@dataclass(frozen=True, slots=True)
class Propagate:
    """Follow objects from frame `start` to frame `stop`, both included.

    `from_first` keeps each object, going backward, to the frames before its first prompt.
    """

    object_ids: tuple[ObjectId, ...]
    start: FrameIndex
    stop: FrameIndex
    direction: Direction
    from_first: bool

    @property
    def frames(self) -> range:
        """The frames in the order in which they are visited."""
        return range(self.start, self.stop + self.direction.step, self.direction.step)


@dataclass(frozen=True, slots=True)
class Divide:
    """A mother ends before `frame`, where her daughters begin, each with a painted mask if there are any."""

    frame: FrameIndex
    mother: ObjectId
    daughters: tuple[ObjectId, ...]
    masks: tuple[RunLengths, ...] = ()


@dataclass(frozen=True, slots=True)
class Clean:
    """Clean masks of objects, on all frames where `frames` is None; `size` None is without a limit."""

    tool: CleanUp
    object_ids: tuple[ObjectId, ...]
    frames: tuple[FrameIndex, ...] | None = None
    size: float | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Cut an object on a frame along a stroke of points (y, x); the parts but the largest are `others`."""

    frame: FrameIndex
    object_id: ObjectId
    others: tuple[ObjectId, ...]
    stroke: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Relabel:
    """Give objects other numbers, one each."""

    object_ids: tuple[ObjectId, ...]
    numbers: tuple[ObjectId, ...]


Command = (
    AddObject
    | RenameObject
    | ClassifyObject
    | HideObject
    | CommitObject
    | DeleteObject
    | MergeObjects
    | Prompt
    | ClearPrompt
    | Propagate
    | Divide
    | Clean
    | Split
    | Relabel
)
