"""What a batch does, as a value: sequences, what is said of each, and how all are worked on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.prompts import FrameIndex, ObjectId, PromptSet

FEWEST_SHARED = 1
SHARED = 4


class PlanError(Sam2Error, ValueError):
    """A plan that cannot be carried out as it is; it lists all that is wrong, not the first thing only.

    Parameters
    ----------
    problems
        A sentence each.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n- {problem}" for problem in self.problems)
        count = len(self.problems)
        super().__init__(f"The plan has {count} problem{'s' * (count != 1)}:{lines}")

    def __reduce__(self) -> tuple[type[PlanError], tuple[tuple[str, ...]]]:
        return PlanError, (self.problems,)


class Way(Enum):
    """Where objects are followed to from their prompts."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Reading:
    """Which frames of a file are meant, as for `open_frames`.

    Attributes
    ----------
    axes, level, along, channel
        None, or 0, for what the file says.
    at
        Where to stay along other axes, (letter, number) each.
    """

    axes: str | None = None
    level: int = 0
    along: str | None = None
    at: tuple[tuple[str, int], ...] = ()
    channel: int | str | None = None


@dataclass(frozen=True, slots=True)
class ObjectPrompt:
    """What is said of one object on one frame."""

    object_id: ObjectId
    frame: FrameIndex
    prompt: PromptSet


@dataclass(frozen=True, slots=True)
class LabelPrompt:
    """Labels that another tool found: each is an object, and its pixels are the prompt.

    Attributes
    ----------
    path
        A label image, or a stack of as many frames as the sequence.
    frame
        The frame that a single label image belongs to. Of a stack it is the frame that objects begin on;
        every chunk but the first then begins with its own first frame.
    """

    path: Path
    frame: FrameIndex = 0


@dataclass(frozen=True, slots=True)
class Birth:
    """A daughter, her mother, and the first frame on which the two daughters are apart."""

    daughter: ObjectId
    mother: ObjectId
    frame: FrameIndex


@dataclass(frozen=True, slots=True)
class PlannedSequence:
    """One file, what is said of it, and where its results go.

    Attributes
    ----------
    image, output
        Where pixels are read, and results written.
    prompts
        In the order in which they were given; there is at most one for an object on a frame.
    labels
        Objects from another tool, instead.
    names
        Of objects, where they have any.
    births
        Who descends from whom: a mother ends where her daughters begin.
    """

    image: Path
    output: Path
    prompts: tuple[ObjectPrompt, ...] = ()
    labels: LabelPrompt | None = None
    names: Mapping[ObjectId, str] = field(default_factory=dict)
    births: tuple[Birth, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """How a long sequence is cut into chunks.

    Attributes
    ----------
    frames
        Length of a chunk.
    shared
        How many frames neighbours have in common: by what objects look like there they are joined.
    overlap
        Two objects are one where their masks on the shared frames have at least this IoU.
    """

    frames: int
    shared: int = SHARED
    overlap: float = 0.5

    def __post_init__(self) -> None:
        if not FEWEST_SHARED <= self.shared < self.frames:
            raise Sam2Error(
                f"Chunks of {self.frames} frames cannot share {self.shared}: neighbours have from "
                f"{FEWEST_SHARED} to one less than all of their frames in common."
            )
        if not 0 < self.overlap <= 1:
            raise Sam2Error(
                f"The IoU from which objects are joined is above 0 and at most 1: {self.overlap}."
            )


@dataclass(frozen=True, slots=True)
class Settings:
    """How all sequences are worked on.

    Attributes
    ----------
    model
        What `load_model` takes.
    device
        Where networks run; None for CUDA or else the CPU of the worker.
    way
        Where objects are followed to.
    policy
        Switches of the tracker.
    reading
        Which frames of a file are meant.
    kind
        Format of the outputs; None where their names say it.
    cut
        Into chunks; None to follow every sequence in one piece.
    """

    model: str = "nano"
    device: str | None = None
    way: Way = Way.FORWARD
    policy: TrackingPolicy = field(default_factory=TrackingPolicy)
    reading: Reading = field(default_factory=Reading)
    kind: ExportKind | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Sequences, and how they are worked on.

    Attributes
    ----------
    sequences
        In any order; workers take them as they come.
    settings
        The same for all.
    folder
        Where results are kept: outputs, the report, and what a later run needs to go on.
    """

    sequences: tuple[PlannedSequence, ...]
    settings: Settings
    folder: Path

    @property
    def work(self) -> Path:
        """The folder of journals; when all is done only a few lines a sequence are left in it."""
        return self.folder / ".napari-sam2-batch"
