"""How a propagation goes, and how it ended, in numbers and in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari_sam2.session.worker import Outcome, Ticket

FOLLOWING = ("propagate", "resume")


class RunReport:
    """Measures a propagation.

    Parameters
    ----------
    clock
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = 0.0

    def begin(self) -> dict[str, Any]:
        """Start the clock, and return the fields of `Status` to begin with."""
        self._began = self._clock()
        return {"running": True, "done": 0, "total": 0, "seconds_left": None}

    def at(self, done: int, total: int) -> dict[str, Any]:
        """Return the fields of `Status` after so many frames."""
        left = (self._clock() - self._began) / max(done, 1) * (total - done)
        return {"done": done, "total": total, "seconds_left": left}


def ending(ticket: Ticket, word: str, look: str, resume: str) -> str:
    """Return what to say about a propagation that has ended; empty for nothing.

    Parameters
    ----------
    ticket
        Of the propagation.
    word
        What a frame is called.
    look, resume
        The keys that show where to look, and that go on.
    """
    if ticket.name not in FOLLOWING or ticket.outcome is Outcome.FAILED or ticket.future.cancelled():
        return ""
    count = ticket.future.result()
    frames = f"{count} {word}{'' if count == 1 else 's'}"
    if ticket.outcome is Outcome.COMPLETED:
        return f"Followed through {frames}. {look} shows where to look first."
    return f"Stopped after {frames}, which stay. {resume} goes on." if count else ""
