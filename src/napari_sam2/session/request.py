"""What can be asked of the worker: something short, or a propagation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from napari_sam2.prompts import FrameIndex, ObjectId, PromptSet
from napari_sam2.session.session import Session
from napari_sam2.session.ticket import Ticket


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Something short, done at once."""

    ticket: Ticket
    call: Callable[[Session], Any]


@dataclass(slots=True, eq=False)
class Walk:
    """A propagation, done frame by frame."""

    ticket: Ticket
    begin: Callable[[Session], Iterator[Any]]
    frames: Iterator[Any] | None = None
    count: int = 0

    def step(self, session: Session) -> bool:
        """Go one frame further; return whether there was one."""
        if self.frames is None:
            self.frames = self.begin(session)
        if next(self.frames, None) is None:
            return False
        self.count += 1
        return True

    def stop(self) -> None:
        """Stop where it is."""
        if isinstance(self.frames, Generator):
            self.frames.close()


@dataclass(frozen=True, slots=True, eq=False)
class PromptCall:
    """A prompt that has not been given yet."""

    frame: FrameIndex
    object_id: ObjectId
    given: PromptSet
    replace: bool

    def __call__(self, session: Session) -> Any:
        given = self.given
        return session.prompt(
            self.frame, self.object_id, given.clicks, given.box, given.mask, replace=self.replace
        )

    def instead_of(self, older: PromptCall) -> PromptCall | None:
        """Return the one prompt that says what `older` and this one say in turn; None where there is none."""
        if (self.frame, self.object_id) != (older.frame, older.object_id):
            return None
        if self.replace or self.given.mask is not None:
            return self
        if older.given.mask is not None:
            return None
        both = PromptSet((*older.given.clicks, *self.given.clicks), self.given.box or older.given.box)
        return replace(self, given=both, replace=older.replace)
