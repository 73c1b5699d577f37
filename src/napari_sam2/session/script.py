"""A session told as Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.session.commands import (
    AddObject,
    ClassifyObject,
    Clean,
    ClearPrompt,
    Command,
    CommitObject,
    DeleteObject,
    Divide,
    HideObject,
    MergeObjects,
    Prompt,
    Propagate,
    Relabel,
    RenameObject,
    Split,
)
from napari_sam2.session.guard import LeakGuard

IMPORTS = """\
import numpy as np
from napari_sam2 import Box, Click, IntensityMap, MaskPolicy, Session, TrackingPolicy
from napari_sam2.imaging.intensity import Channel
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.session.guard import LeakGuard
"""


def script(
    image: Path | None,
    axes: str | None,
    spacing: tuple[float, ...] | None,
    intensity: IntensityMap | None,
    model: str | None,
    policy: TrackingPolicy,
    guard: LeakGuard,
    steps: Sequence[Command],
    at: Mapping[str, int] | None = None,
) -> str:
    """Return Python that does the same.

    Parameters
    ----------
    image, model
        None where they were given as objects: the script then expects them by the names `image` and `model`.
    axes, spacing, intensity, policy, guard
        As the session has them.
    steps
        What was done.
    at
        Where the session stays along other axes.
    """
    options = [f"model={'model' if model is None else repr(model)}"]
    if policy != TrackingPolicy():
        options.append(f"policy={policy!r}")
    if guard != LeakGuard():
        options.append(f"guard={guard!r}")
    if intensity is not None:
        options.append(f"intensity={intensity!r}")
    if axes is not None:
        options.append(f"axes={axes!r}")
    if at:
        options.append(f"at={dict(at)!r}")
    if spacing is not None:
        options.append(f"spacing={spacing!r}")
    opening = "Session(image" if image is None else f"Session.open({str(image)!r}"
    lines = [f"session = {opening}, {', '.join(options)})", *map(line, steps)]
    return IMPORTS + "\n" + "\n".join(lines) + "\n"


def line(step: Command) -> str:
    """Return the call that does one step."""
    match step:
        case AddObject(object_id, name):
            return f"session.add({name!r}, object_id={object_id})"
        case RenameObject(object_id, name):
            return f"session.rename({object_id}, {name!r})"
        case ClassifyObject(object_id, label_class):
            return f"session.classify({object_id}, {label_class!r})"
        case HideObject(object_id, hidden):
            return f"session.hide({object_id}, {hidden})"
        case CommitObject(object_id, committed):
            return f"session.{'commit' if committed else 'reopen'}({object_id})"
        case DeleteObject(object_id):
            return f"session.delete({object_id})"
        case MergeObjects(object_id, others):
            return f"session.merge({object_id}, {list(others)})"
        case ClearPrompt(frame, object_id):
            return f"session.clear({frame}, {object_id})"
        case Divide(frame, mother, daughters, masks):
            painted = f", masks=[{', '.join(map(_runs, masks))}]" if masks else ""
            return f"session.divide({frame}, {mother}, {list(daughters)}{painted})"
        case Propagate():
            return (
                f"for _ in session.propagate({list(step.object_ids)}, {step.start}, {step.stop}, "
                f"{step.direction.value!r}, from_first={step.from_first}):\n    pass"
            )
        case Clean(tool, object_ids, frames, size):
            where = None if frames is None else list(frames)
            return f"session.clean({tool.value!r}, {list(object_ids)}, {where}, size={size})"
        case Split(frame, object_id, others, stroke):
            return f"session.split({frame}, {object_id}, {list(stroke)}, {list(others)})"
        case Relabel(object_ids, numbers):
            return f"session.relabel({dict(zip(object_ids, numbers, strict=True))})"
        case Prompt():
            return _prompt(step)


def _prompt(step: Prompt) -> str:
    parts = [str(step.frame), str(step.object_id)]
    if step.clicks:
        parts.append(f"clicks={list(step.clicks)!r}")
    if step.box is not None:
        parts.append(f"box={step.box!r}")
    if step.mask is not None:
        parts.append(f"mask={_runs(step.mask)}")
    if step.replace:
        parts.append("replace=True")
    return f"session.prompt({', '.join(parts)})"


def _runs(runs: RunLengths) -> str:
    return f"RunLengths(np.array({runs.counts.tolist()}, np.uint32), {runs.shape})"
