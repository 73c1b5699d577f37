"""A session file as a batch takes it: what was said, to be done to other images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_sam2.batch.plan import Birth, ObjectPrompt, Way
from napari_sam2.batch.template import Template
from napari_sam2.prompts import Direction, MaskPrompt, PromptSet
from napari_sam2.session.autosave import catch_up
from napari_sam2.session.commands import Propagate
from napari_sam2.session.saved_session import SavedSession


def template_of(path: Path) -> Template:
    """Return the prompts, names and divisions of a session, and how its objects were found.

    Objects that are hidden are left out. In which order things were done does not count: every prompt is
    given before objects are followed.

    Raises
    ------
    StorageError
        The file is missing, damaged or no session.
    """
    saved = SavedSession.read(path)
    catch_up(saved, path)
    document = saved.document
    shown = [number for number, row in document.objects.items() if not row.hidden]
    went = {step.direction for step in document.steps if isinstance(step, Propagate)}
    way = Way.BOTH if len(went) > 1 else Way.BACKWARD if went == {Direction.BACKWARD} else Way.FORWARD
    return Template(
        tuple(
            ObjectPrompt(number, frame, _with_pixels(prompt))
            for number in shown
            for frame, prompt in sorted(document.prompts_of(number).items())
            if prompt
        ),
        {number: document.objects[number].name for number in shown},
        tuple(Birth(child, one.mother, one.frame) for child, one in sorted(document.divisions.items())),
        saved.model,
        saved.policy,
        way,
    )


def _with_pixels(prompt: PromptSet) -> PromptSet:
    return prompt if prompt.mask is None else PromptSet(mask=MaskPrompt(np.asarray(prompt.mask.mask)))
