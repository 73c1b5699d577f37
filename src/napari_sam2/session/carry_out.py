"""What each command does to a session."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

import numpy as np

from napari_sam2.errors import PromptError
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import FrameIndex, MaskPrompt, ObjectId, PromptSet
from napari_sam2.session.access import begin_object, forget_object, known_object, open_object
from napari_sam2.session.commands import (
    AddObject,
    ClassifyObject,
    Clean,
    ClearPrompt,
    CommitObject,
    DeleteObject,
    Divide,
    HideObject,
    MergeObjects,
    Prompt,
    Relabel,
    RenameObject,
    Split,
)
from napari_sam2.session.document import Document, Kind, Place
from napari_sam2.session.draft import Draft
from napari_sam2.session.engine import Engine
from napari_sam2.session.lineage import Division, daughters, life
from napari_sam2.session.objects import CodedMask, FrameMask
from napari_sam2.session.tidy import clean_masks, relabel_objects, split_object


@singledispatch
def carry_out(command: object, engine: Engine, draft: Draft) -> None:
    """Do what a command says.

    Parameters
    ----------
    command
        Any but a propagation, which has a frame boundary to stop at.
    engine, draft
        What is asked, and where the answer is written.

    Raises
    ------
    PromptError
        If the command names something that is not there, or that is committed.
    """
    raise TypeError(f"{type(command).__name__} is no command that is carried out at once.")


@carry_out.register
def _add(command: AddObject, engine: Engine, draft: Draft) -> None:
    begin_object(draft, command.object_id, command.name)


@carry_out.register
def _rename(command: RenameObject, engine: Engine, draft: Draft) -> None:
    known = known_object(draft.document, command.object_id)
    draft.write(Place(Kind.OBJECT, command.object_id), replace(known, name=command.name))


@carry_out.register
def _classify(command: ClassifyObject, engine: Engine, draft: Draft) -> None:
    known = known_object(draft.document, command.object_id)
    draft.write(Place(Kind.OBJECT, command.object_id), replace(known, label_class=command.label_class))


@carry_out.register
def _hide(command: HideObject, engine: Engine, draft: Draft) -> None:
    known = known_object(draft.document, command.object_id)
    draft.write(Place(Kind.OBJECT, command.object_id), replace(known, hidden=command.hidden))


@carry_out.register
def _commit(command: CommitObject, engine: Engine, draft: Draft) -> None:
    known = known_object(draft.document, command.object_id)
    draft.write(Place(Kind.OBJECT, command.object_id), replace(known, committed=command.committed))


@carry_out.register
def _delete(command: DeleteObject, engine: Engine, draft: Draft) -> None:
    open_object(draft.document, command.object_id)
    forget_object(command.object_id, engine, draft)


@carry_out.register
def _prompt(command: Prompt, engine: Engine, draft: Draft) -> None:
    document, number = draft.document, command.object_id
    if number not in document.objects:
        begin_object(draft, number, f"Object {number}")
    open_object(document, number)
    frames = life(document.divisions, number, len(engine.frames))
    if 0 <= command.frame < len(engine.frames) and command.frame not in frames:
        raise PromptError(
            f"Object {number} lives from frame {frames.start} to {frames.stop - 1}, since it divides or "
            f"comes from a division: prompt it there, or another object on frame {command.frame}."
        )
    mask = None if command.mask is None else MaskPrompt(CodedMask(command.mask))
    engine.prompt(draft, command.frame, number, PromptSet(command.clicks, command.box, mask), command.replace)


@carry_out.register
def _clear(command: ClearPrompt, engine: Engine, draft: Draft) -> None:
    open_object(draft.document, command.object_id)
    if command.frame not in draft.document.prompts_of(command.object_id):
        raise PromptError(f"Object {command.object_id} has no prompt on frame {command.frame}.")
    engine.clear(draft, command.frame, command.object_id)


@carry_out.register
def _merge(command: MergeObjects, engine: Engine, draft: Draft) -> None:
    document, number = draft.document, command.object_id
    every = (number, *command.others)
    if len(set(every)) != len(every) or len(every) < 2:
        raise PromptError(f"Merging takes two or more different objects, got {', '.join(map(str, every))}.")
    for one in every:
        open_object(document, one)
    related = {one for one in every if one in document.divisions or daughters(document.divisions, one)}
    if related - {number}:
        raise PromptError(
            f"Object {min(related - {number})} divides or comes from a division: undo the division first."
        )
    frames = life(document.divisions, number, len(engine.frames))
    prompted = {at for one in every for at in document.prompts_of(one)}
    for frame in sorted({at for one in every for at in document.masks_of(one)} & set(frames)):
        found = [document.masks_of(one)[frame] for one in every if frame in document.masks_of(one)]
        runs = union([mask.runs for mask in found])
        if frame in prompted and runs.area:
            engine.prompt(draft, frame, number, PromptSet(mask=MaskPrompt(CodedMask(runs))), renew=True)
        else:
            iou, visible = min(m.iou for m in found), max(m.visible for m in found)
            draft.write(Place(Kind.MASK, number, frame), FrameMask(runs, iou, visible))
    for other in command.others:
        forget_object(other, engine, draft)


@carry_out.register
def _divide(command: Divide, engine: Engine, draft: Draft) -> None:
    document, mother, frame = draft.document, command.mother, command.frame
    open_object(document, mother)
    if len(set(command.daughters)) < 2 or len(set(command.daughters)) != len(command.daughters):
        raise PromptError(f"A division has two or more different daughters, got {command.daughters}.")
    if daughters(document.divisions, mother):
        raise PromptError(f"Object {mother} divides already: undo that division first.")
    if command.masks and len(command.masks) != len(command.daughters):
        raise PromptError(
            f"{len(command.masks)} masks came for {len(command.daughters)} daughters: one each."
        )
    before = life(document.divisions, mother, len(engine.frames))
    if frame not in before[1:]:
        raise PromptError(
            f"Object {mother} cannot divide on frame {frame}: that is the first frame on which its daughters "
            f"are apart, one of {before.start + 1} to {before.stop - 1}."
        )
    for daughter in command.daughters:
        if daughter not in document.objects:
            begin_object(draft, daughter, f"Object {daughter}")
        open_object(document, daughter)
        if daughter == mother or daughter in document.divisions:
            raise PromptError(f"Object {daughter} has another origin already: choose another daughter.")
        if frame not in life(document.divisions, daughter, len(engine.frames)):
            raise PromptError(f"Object {daughter} divides before frame {frame}: it cannot begin there.")
        draft.write(Place(Kind.DIVISION, daughter), Division(mother, frame))
    for one in (mother, *command.daughters):
        frames = life(document.divisions, one, len(engine.frames))
        for at in [at for at in document.prompts_of(one) if at not in frames]:
            engine.clear(draft, at, one)
        for at in [at for at in document.masks_of(one) if at not in frames]:
            draft.write(Place(Kind.MASK, one, at), None)
    for daughter, runs in zip(command.daughters, command.masks, strict=False):
        engine.prompt(draft, frame, daughter, PromptSet(mask=MaskPrompt(CodedMask(runs))), renew=True)


carry_out.register(Clean)(clean_masks)
carry_out.register(Split)(split_object)
carry_out.register(Relabel)(relabel_objects)


def followed(
    document: Document, object_id: ObjectId, frame: FrameIndex, step: int, from_first: bool, length: int
) -> bool:
    """Whether propagation takes an object along to a frame.

    It does where a prompt of the object lies at or behind the frame on the way, between the object's birth
    and its division, unless it is committed. `from_first` is explained at `Propagate`.
    """
    row = document.objects.get(object_id)
    prompted = document.prompts_of(object_id)
    if row is None or row.committed or not prompted:
        return False
    if frame not in life(document.divisions, object_id, length):
        return False
    if from_first and step < 0:
        return frame <= min(prompted)
    return any((frame - at) * step >= 0 for at in prompted)


def union(masks: list[RunLengths]) -> RunLengths:
    """Return the mask that is set where any of `masks` is."""
    return RunLengths.encode(np.logical_or.reduce([mask.decode() for mask in masks]))
