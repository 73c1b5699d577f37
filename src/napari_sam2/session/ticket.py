"""A request to the worker, and what becomes of it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Outcome(Enum):
    """How a request ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(slots=True, eq=False)
class Ticket:
    """A request, and what becomes of it.

    Attributes
    ----------
    name
        What was asked for, in a word.
    future
        The result, or the error where it failed; cancelled where the request was superseded, or cancelled
        before it began. The result of a propagation is how many frames it went over, to its end or not.
    outcome
        None as long as it is not done.
    """

    name: str
    future: Future[Any] = field(default_factory=Future)
    outcome: Outcome | None = None
