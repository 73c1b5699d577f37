"""A session as a batch takes it: what was said, to be done to other images.

The only place that knows both: above `session` and `batch`, and below the window and the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from napari_sam2.batch.plan import Birth, ObjectPrompt, Way
from napari_sam2.batch.template import Template
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.prompts import Direction, FrameIndex, MaskPrompt, ObjectId, PromptSet
from napari_sam2.session.autosave import catch_up
from napari_sam2.session.commands import Command, Propagate
from napari_sam2.session.lineage import Division
from napari_sam2.session.objects import SessionObject
from napari_sam2.session.saved_session import SavedSession
from napari_sam2.session.session import Session


def template_of(path: Path) -> Template:
    """Return the prompts, names and divisions of a session file, and how its objects were found.

    Objects that are hidden are left out. In which order things were done does not count: every prompt is
    given before objects are followed.

    Raises
    ------
    StorageError
        The file is missing, damaged or no session.
    """
    saved = SavedSession.read(path)
    catch_up(saved, path)
    told = saved.document
    return _template(
        told.objects, told.prompts_of, told.divisions, told.steps, model=saved.model, policy=saved.policy
    )


def template_of_open(session: Session, model: str | None) -> Template:
    """Return the same of a session that is open, as it is now.

    Parameters
    ----------
    session
        It is read, in this thread.
    model
        The name of its network; None to leave it to the plan.
    """
    return _template(
        session.objects, session.prompts, session.lineage, session.steps, model=model, policy=session.policy
    )


def _template(
    objects: Mapping[ObjectId, SessionObject],
    prompts_of: Callable[[ObjectId], Mapping[FrameIndex, PromptSet]],
    divisions: Mapping[ObjectId, Division],
    steps: Iterable[Command],
    *,
    model: str | None,
    policy: TrackingPolicy,
) -> Template:
    shown = [number for number, row in objects.items() if not row.hidden]
    went = {step.direction for step in steps if isinstance(step, Propagate)}
    way = Way.BOTH if len(went) > 1 else Way.BACKWARD if went == {Direction.BACKWARD} else Way.FORWARD
    return Template(
        tuple(
            ObjectPrompt(number, frame, _with_pixels(prompt))
            for number in shown
            for frame, prompt in sorted(prompts_of(number).items())
            if prompt
        ),
        {number: objects[number].name for number in shown},
        tuple(Birth(child, one.mother, one.frame) for child, one in sorted(divisions.items())),
        model,
        policy,
        way,
    )


def _with_pixels(prompt: PromptSet) -> PromptSet:
    return prompt if prompt.mask is None else PromptSet(mask=MaskPrompt(np.asarray(prompt.mask.mask)))
