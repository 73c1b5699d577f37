"""A model learns from the frames that a user corrected, and shows on others what came of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_sam2.imaging.overlay import outlines, overlay

if TYPE_CHECKING:
    from napari_sam2.session.session import Session
    from napari_sam2.training.loop import StepReport
    from napari_sam2.training.sources import LabelledFrame

Parts = Literal["decoder", "all"]
# Frames that are held back and shown.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Course:
    """What is to be learned, and where to put it.

    Attributes
    ----------
    model, device
        Where to start from, as `load_model` takes it.
    parts
        What learns.
    minutes
        How long, with the measurements beside it.
    path
        The file to write; one that is there is replaced.
    origin
        What it learned from, in words; it is written into the file.
    steps
        Instead of minutes.
    """

    model: str
    device: str | None
    parts: Parts
    minutes: float
    path: Path
    origin: str
    steps: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A frame that was held back: what one click an object gave before and after, drawn over it.

    Attributes
    ----------
    name
        Of the frame.
    before, after
        uint8 (H, W, 3); the outlines of the labels are white.
    """

    name: str
    before: npt.NDArray[np.uint8]
    after: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What came of it.

    Attributes
    ----------
    path
        The new model.
    before, after
        Mean IoU from one click an object, on frames that were held back; None without an object.
    shots
        Some of them.
    """

    path: Path
    before: float | None
    after: float | None
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """How far it is.

    Attributes
    ----------
    text
        What is being done.
    step, steps
        Of the training; 0 of 0 before and after.
    seconds_left
        None as long as nobody can say.
    """

    text: str
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None


def corrected_frames(session: Session) -> tuple[int, ...]:
    """Return the frames that have a prompt: what a user looked at and said something about."""
    return tuple(sorted({frame for number in session.objects for frame in session.prompts(number)}))


def material(session: Session, word: str) -> list[LabelledFrame]:
    """Read the corrected frames as the model sees them, with their labels.

    Parameters
    ----------
    session
        Read from, in any thread.
    word
        What a frame is called.
    """
    from napari_sam2.training.sources import LabelledFrame

    found = []
    for frame in corrected_frames(session):
        labels = session.labels(frame)
        if not labels.any():
            continue
        seen = np.round(session.intensity(session.frames[frame]) * 255).astype(np.uint8)
        gray = bool((seen[..., 0] == seen[..., 1]).all() and (seen[..., 0] == seen[..., 2]).all())
        found.append(LabelledFrame(f"{word} {frame}", seen[..., 0] if gray else seen, labels))
    return found


def why_not(session: Session | None) -> str:
    """Return why there is nothing to learn from; an empty text where there is."""
    if session is None:
        return "Open an image in the SAM 2 window first."
    count = len(corrected_frames(session))
    if len(session) == 1:
        return "This is a single image: learning takes two frames or more, one of them to see if it helped."
    if count < 2:
        found = "No frame has" if not count else "Only one frame has"
        return f"{found} a prompt: click or paint objects on at least two frames, the more the better."
    return ""


def learn(course: Course, frames: list[LabelledFrame], tell: Callable[[Moment], object]) -> Lesson:
    """Train, measure before and after, and write the new model.

    Parameters
    ----------
    course
        What is wanted.
    frames
        Of `material`.
    tell
        Told how far it is; an exception from it stops, and nothing is written.

    Raises
    ------
    ImageError
        There are fewer than two frames with labels.
    CheckpointError, StorageError
        The model cannot be loaded, or the new one not written.
    """
    from napari_sam2.io.checkpoints import load_model
    from napari_sam2.model.families import tracking
    from napari_sam2.training.corrected import split_corrected
    from napari_sam2.training.fine_tune import Budget, fine_tune, save_fine_tune
    from napari_sam2.training.run import Run
    from napari_sam2.training.validation import mean_iou, one_click

    data = split_corrected(frames)
    tell(Moment("Loading the model ..."))
    model = tracking(load_model(course.model, course.device))

    def clicked(network: Any, word: str) -> list[Any]:
        found = []
        for frame in data.held:
            tell(Moment(f"Looking at {frame.name} {word} ..."))
            found.append(one_click(network, frame))
        return found

    def step(report: StepReport) -> None:
        tell(Moment("Learning", report.step, report.steps, report.seconds_left))

    before = clicked(model, "before")
    tell(Moment("Preparing ..."))
    folder = Path(tempfile.mkdtemp(prefix="napari-sam2-training-"))
    try:
        budget = Budget(course.steps, course.minutes)
        run = Run(str(model.device))
        tuned = fine_tune(model, data, folder, course.parts, budget, run, course.origin, step)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    after = clicked(tuned, "after")
    figures = mean_iou(before), mean_iou(after)
    notes = {"from": course.origin, "parts": course.parts, "before": figures[0], "after": figures[1]}
    tell(Moment("Writing the model ..."))
    course.path.parent.mkdir(parents=True, exist_ok=True)
    save_fine_tune(tuned, course.path, notes)
    shots = tuple(
        Shot(frame.name, drawn(frame, one.found), drawn(frame, other.found))
        for frame, one, other in list(zip(data.held, before, after, strict=True))[:SHOWN]
    )
    return Lesson(course.path, *figures, shots)


def drawn(frame: LabelledFrame, found: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Draw masks over a frame, and the outlines of its labels in white."""
    gray = frame.image[..., None].repeat(3, 2) if frame.image.ndim == 2 else frame.image
    picture = overlay(gray.astype(np.float32) / 255, found, fill=0.45)
    picture[outlines(frame.labels)] = 255
    return picture


def verdict(lesson: Lesson) -> str:
    """Say what a lesson was worth."""
    if lesson.before is None or lesson.after is None:
        return "Done. On the frames that were held back there is no object of 30 pixels to measure on."
    gain = lesson.after - lesson.before
    figures = (
        f"One click an object: {lesson.before:.3f} before, {lesson.after:.3f} after (IoU, 1 is perfect)."
    )
    if gain > 0.005:
        return f"{figures} It helped."
    return f"{figures} It did not help: keep the model that you had, or correct more frames."
