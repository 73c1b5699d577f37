"""All that is wrong with a plan, found before any work, without reading pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from napari_sam2.batch.finished import cut
from napari_sam2.batch.job import Job, Part
from napari_sam2.batch.plan import Plan, PlanError, PlannedSequence, Settings
from napari_sam2.batch.reading import opened
from napari_sam2.batch.starting import label_frame, misfit
from napari_sam2.batch.work import done_before
from napari_sam2.errors import ImageError, PromptError, StorageError
from napari_sam2.inference import pixels
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.io.frames import open_frames
from napari_sam2.io.registry import model_names

Shape = tuple[int, ...]


def jobs_of(plan: Plan, overwrite: bool = False) -> tuple[Job, ...]:
    """Return the plan's sequences as they are handed to workers."""
    return tuple(Job(one, plan.settings, plan.folder, plan.work, overwrite) for one in plan.sequences)


def check_plan(plan: Plan, overwrite: bool = False) -> dict[Path, Shape]:
    """Find all that is wrong with a plan.

    Parameters
    ----------
    plan
        What is to be done.
    overwrite
        Whether outputs that are there may be replaced.

    Returns
    -------
    dict
        (T, H, W) or (T, H, W, C) of the images. Those that are there but cannot be opened are left out: the
        others need not wait for them, and the report tells of them.

    Raises
    ------
    PlanError
        Everything that is wrong.
    """
    shapes: dict[Path, Shape] = {}
    problems = list(_of_the_whole(plan))
    for job in jobs_of(plan, overwrite):
        shape = shapes.get(job.sequence.image) or _shape(job)
        if shape is not None:
            shapes[job.sequence.image] = shape
        problems += [f"{job.sequence.image}: {problem}" for problem in _of_one(job, shape)]
    if problems:
        raise PlanError(problems)
    return shapes


def parts_of(settings: Settings, shape: Shape | None) -> tuple[Part, ...] | None:
    """Return the chunks of a sequence; None where it is followed in one piece."""
    if settings.cut is None or shape is None or shape[0] <= settings.cut.frames:
        return None
    return cut(shape[0], settings.cut.frames, settings.cut.shared)


def _of_the_whole(plan: Plan) -> Iterator[str]:
    if not plan.sequences:
        yield "there is no sequence in it"
    model = plan.settings.model
    if model not in model_names() and not Path(model).is_file():
        yield f"the model {model!r} is neither a file nor one of {', '.join(model_names())}"
    outputs = Counter(one.output for one in plan.sequences)
    for output, count in outputs.items():
        if count > 1:
            images = ", ".join(str(one.image) for one in plan.sequences if one.output == output)
            yield f"{count} sequences would be written to {output} ({images}): give each a name of its own"
    read = {one.image for one in plan.sequences} | {
        one.labels.path for one in plan.sequences if one.labels is not None
    }
    for output in outputs.keys() & read:
        yield f"{output} is both read and written: choose another output"


def _of_one(job: Job, shape: Shape | None) -> Iterator[str]:
    sequence, settings = job.sequence, job.settings
    if not sequence.image.exists():
        yield "there is no such file"
    try:
        kind = settings.kind or ExportKind.of(sequence.output)
        kind.check(sequence.output)
    except StorageError as error:
        yield str(error)
    if sequence.output.exists() and not (job.overwrite or job.owns_output() or done_before(job)):
        yield f"its output {sequence.output} exists already: choose another name, or pass --overwrite"
    if sequence.labels is not None and sequence.prompts:
        yield "it has both prompts and a label image: give one of them"
    elif sequence.labels is not None:
        yield from _of_labels(sequence, settings, shape)
    else:
        yield from _of_prompts(sequence, settings, shape)


def _of_prompts(sequence: PlannedSequence, settings: Settings, shape: Shape | None) -> Iterator[str]:
    if not sequence.prompts:
        yield "nothing says what to follow in it: give points, boxes, labels or a session"
        return
    places = Counter((one.object_id, one.frame) for one in sequence.prompts)
    for (number, frame), count in places.items():
        if count > 1:
            yield f"object {number} has {count} prompts on frame {frame}: make one of them"
    if shape is None:
        return
    for one in sequence.prompts:
        if not 0 <= one.frame < shape[0]:
            yield f"object {one.object_id} is prompted on frame {one.frame}, but the last is {shape[0] - 1}"
            continue
        try:
            pixels.check_prompt(one.prompt, (shape[1], shape[2]))
        except PromptError as error:
            yield f"object {one.object_id} on frame {one.frame}: {error}"
    for part in parts_of(settings, shape) or ():
        if not any(one.frame in part.frames for one in sequence.prompts):
            yield (
                f"nothing is prompted in the chunk of frames {part.start} to {part.stop - 1}: a chunk is "
                "followed on its own, so prompt at least one object in each, or do without chunks"
            )


def _of_labels(sequence: PlannedSequence, settings: Settings, shape: Shape | None) -> Iterator[str]:
    labels = sequence.labels
    assert labels is not None
    if not labels.path.exists():
        yield f"its label image {labels.path} does not exist"
        return
    try:
        with open_frames(labels.path) as stack:
            found = stack.shape
    except (StorageError, ImageError) as error:
        yield f"its label image cannot be opened. {error}"
        return
    if shape is None:
        return
    if wrong := misfit(labels.path, found, shape):
        yield wrong
        return
    if not 0 <= labels.frame < shape[0]:
        yield f"its labels belong to frame {labels.frame}, but the last one is {shape[0] - 1}"
        return
    for part in parts_of(settings, shape) or ():
        if label_frame(labels, part, found[0], shape[0]) is None:
            yield (
                f"no labels belong to the chunk of frames {part.start} to {part.stop - 1}: give a stack with "
                "labels of every frame, or do without chunks"
            )


def _shape(job: Job) -> Shape | None:
    try:
        with opened(job.sequence.image, job.settings.reading) as source:
            return source.frames.shape
    except (StorageError, ImageError):
        return None
