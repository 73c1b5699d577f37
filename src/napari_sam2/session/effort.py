"""How much work went into each object; it stays on this computer, in the session file."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_sam2.errors import StorageError
from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.commands import ClearPrompt, Command, Divide, MergeObjects, Prompt
from napari_sam2.session.objects import SessionObject

PAUSE = 60.0
"""Seconds between two acts from which on the user was doing something else."""

NO_OBJECT: ObjectId = 0


@dataclass(frozen=True, slots=True)
class Effort:
    """What a user did for one object; undoing takes nothing of it back.

    Attributes
    ----------
    object_id
        0 for what belongs to no one object: propagation, undo and redo.
    clicks, boxes, masks
        How many were given; a mask may have been painted or taken over from elsewhere.
    seconds
        Time that led up to the acts, since the act before each, a minute at the most.
    frames
        On which the object was prompted, or a prompt cleared.
    """

    object_id: ObjectId
    clicks: int = 0
    boxes: int = 0
    masks: int = 0
    seconds: float = 0.0
    frames: tuple[FrameIndex, ...] = ()

    def after(self, act: Command | None, seconds: float) -> Effort:
        """Return what it is with one act more."""
        done = replace(self, seconds=self.seconds + seconds)
        if isinstance(act, Prompt | ClearPrompt):
            done = replace(done, frames=tuple(sorted({*self.frames, act.frame})))
        if isinstance(act, Prompt):
            done = replace(
                done,
                clicks=self.clicks + len(act.clicks),
                boxes=self.boxes + (act.box is not None),
                masks=self.masks + (act.mask is not None),
            )
        return done


EffortTable = Mapping[ObjectId, Effort]


class EffortLog:
    """Counts what the user does.

    Parameters
    ----------
    table
        What was counted before; None for counting nothing.
    clock
        Returns seconds that only grow.
    """

    def __init__(self, table: EffortTable | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.table = table
        self._clock = clock
        self._last: float | None = None
        self._told: EffortTable = table or {}

    def note(self, act: Command | None) -> Callable[[], None]:
        """Count an act, None for a propagation, undo or redo; call what is returned if it came to nothing."""
        before, last = self.table, self._last

        def take_back() -> None:
            self.table, self._last = before, last

        if before is not None:
            self._last = self._clock()
            seconds = 0.0 if last is None else min(self._last - last, PAUSE)
            number = _object_of(act)
            row = before.get(number) or Effort(number)
            # A new table, since others may be reading the old one.
            self.table = {**before, number: row.after(act, seconds)}
        return take_back

    def news(self) -> list[Effort]:
        """Return the rows that changed since the last call."""
        table = self.table or {}
        changed = [row for number, row in table.items() if self._told.get(number) is not row]
        self._told = table
        return changed


def to_json(rows: Iterable[Effort]) -> list[dict[str, Any]]:
    """Return the rows as plain values."""
    return [asdict(row) for row in rows]


def from_json(code: Collection[Mapping[str, Any]]) -> dict[ObjectId, Effort]:
    """Return the table of a code."""
    rows = [Effort(**{**row, "frames": tuple(row["frames"])}) for row in code]
    return {row.object_id: row for row in rows}


def write_csv(
    path: Path, rows: Iterable[Effort], objects: Mapping[ObjectId, SessionObject], overwrite: bool
) -> None:
    """Write a table with a line an object; those that are gone have no name.

    Raises
    ------
    StorageError
        The file is in the way, or cannot be written.
    """
    try:
        with path.open("w" if overwrite else "x", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(["object", "name", "clicks", "boxes", "masks", "seconds", "frames"])
            for row in rows:
                name = objects[row.object_id].name if row.object_id in objects else ""
                counts = (row.clicks, row.boxes, row.masks, f"{row.seconds:.1f}", len(row.frames))
                lines.writerow([row.object_id, name, *counts])
    except FileExistsError:
        raise StorageError(f"{path} exists already: choose another name, or pass overwrite=True.") from None
    except OSError as error:
        raise StorageError(
            f"{path} was not written ({error.strerror or error}): check the folder, or choose another."
        ) from error


def _object_of(act: Command | None) -> ObjectId:
    if isinstance(act, Divide):
        return act.mother
    if isinstance(act, MergeObjects):
        return act.object_id
    return int(getattr(act, "object_id", NO_OBJECT))
