"""Objects of a document: found, checked that they may be changed, begun and forgotten."""

from __future__ import annotations

from napari_sam2.errors import PromptError
from napari_sam2.prompts import ObjectId
from napari_sam2.session.document import Document, Kind, Place
from napari_sam2.session.draft import Draft
from napari_sam2.session.engine import Engine
from napari_sam2.session.lineage import daughters
from napari_sam2.session.objects import SessionObject


def known_object(document: Document, object_id: ObjectId) -> SessionObject:
    """Return an object's row, or raise `PromptError` if there is none."""
    if object_id not in document.objects:
        known = ", ".join(map(str, sorted(document.objects))) or "none yet"
        raise PromptError(f"There is no object {object_id}; known are: {known}.")
    return document.objects[object_id]


def open_object(document: Document, object_id: ObjectId) -> SessionObject:
    """Return the row of an object that may be changed, or raise `PromptError`."""
    known = known_object(document, object_id)
    if known.committed:
        raise PromptError(f"Object {object_id} is committed, which protects it: reopen it to change it.")
    return known


def check_number(object_id: ObjectId) -> None:
    """Raise `PromptError` unless an object may have this number."""
    if not isinstance(object_id, int) or object_id < 1:
        raise PromptError(f"Object ids are whole numbers from 1 on, got {object_id!r}; 0 is the background.")


def begin_object(draft: Draft, object_id: ObjectId, name: str, label_class: str = "") -> None:
    """Add an object, or raise `PromptError` if its number is none or taken."""
    check_number(object_id)
    if object_id in draft.document.objects:
        raise PromptError(f"There is an object {object_id} already: leave the number out to get a free one.")
    draft.write(Place(Kind.OBJECT, object_id), SessionObject(name, label_class=label_class))


def forget_object(object_id: ObjectId, engine: Engine, draft: Draft) -> None:
    """Take an object away, with its prompts, masks and divisions."""
    document = draft.document
    if document.prompts_of(object_id):
        engine.remove(draft, object_id)
    for at in list(document.prompts_of(object_id)):
        draft.write(Place(Kind.PROMPT, object_id, at), None)
    for at in list(document.masks_of(object_id)):
        draft.write(Place(Kind.MASK, object_id, at), None)
    for child in (object_id, *daughters(document.divisions, object_id)):
        draft.write(Place(Kind.DIVISION, child), None)
    draft.write(Place(Kind.OBJECT, object_id), None)
