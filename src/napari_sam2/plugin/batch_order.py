"""What the form of a batch says, and what becomes of it: a plan, and an order to carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2.plugin.choices import Choices
from napari_sam2.session.session import Session

if TYPE_CHECKING:
    from napari_sam2.batch.apart import Order
    from napari_sam2.batch.plan import Plan
    from napari_sam2.batch.template import Template


class Said(Enum):
    """What says what to follow."""

    SESSION = "this session"
    LABELS = "label images"
    TABLE = "a table"
    FILE = "the file itself"


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form says.

    Attributes
    ----------
    path
        A folder, a table or a plan.
    said
        What says what to follow.
    wishes
        As `napari_sam2.batch.sources.read_plan` takes them, but for the session.
    workers, scheduler
        As of an `Order`.
    overwrite
        Whether outputs of others may be replaced.
    """

    path: Path
    said: Said
    wishes: dict[str, Any] = field(default_factory=dict)
    workers: int = 1
    scheduler: str | None = None
    overwrite: bool = False


def why_not(session: Session | None) -> str:
    """Return why a session cannot be applied to files; empty if it can."""
    if session is None:
        return "Open an image and prompt its objects first, or apply something else."
    if not any(_given(session)):
        return "Nothing is prompted in the chosen image yet: click on its objects, or apply something else."
    return ""


def told(session: Session) -> str:
    """Return how much is said in a session."""
    given = _given(session)
    objects, prompts = sum(bool(one) for one in given), sum(given)
    return f"{objects} object{'s' * (objects != 1)}, prompted {prompts} time{'s' * (prompts != 1)}"


def usual(filled: Filled, choices: Choices) -> dict[str, str | None]:
    """Return the wishes that the window adds: model and device, unless a plan or a session has its own."""
    if filled.path.suffix.lower() == ".json":
        return {}
    if filled.said is Said.SESSION:
        return {"device": choices.device}
    return {"device": choices.device, "model": choices.model}


def read(filled: Filled, usual: Mapping[str, str | None], template: Template | None) -> Plan:
    """Return the plan of a form.

    Parameters
    ----------
    filled
        The form.
    usual
        What holds where it says nothing, by the names of wishes.
    template
        The session, if that is applied: as it was when the form was filled in.

    Raises
    ------
    PlanError, StorageError
        As `napari_sam2.batch.sources.read_plan`.
    """
    from napari_sam2.batch.sources import read_plan
    from napari_sam2.session_prompts import template_of

    if template is None:
        return read_plan(filled.path, {**usual, **filled.wishes}, template_of)
    return read_plan(filled.path, {**usual, **filled.wishes, "session": "open"}, lambda _: template)


def order(filled: Filled, plan: Plan) -> Order:
    """Return who carries a plan out, as the form says."""
    from napari_sam2.batch.apart import Order

    return Order(plan, filled.workers, filled.scheduler, filled.overwrite)


def _given(session: Session) -> list[int]:
    """Return the number of prompts of each object that is not hidden."""
    return [len(session.prompts(number)) for number, row in session.objects.items() if not row.hidden]
