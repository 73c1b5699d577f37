"""What became of a sequence."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path

from napari_sam2.io.output import whole_file


class Status(Enum):
    """Where a sequence is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    BEFORE = "done before"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A line of the report.

    Attributes
    ----------
    name
        Of the sequence, unique in the plan.
    image, output
        Paths.
    status
        How it ended.
    seconds
        Work in this and earlier runs.
    frames, objects
        Of the sequence.
    confidence
        Mean score of all objects on all frames, 0 to 1.
    visits
        How often a frame went through the tracker, in all.
    computed
        How many of them did in the last run; the others had been done before.
    at_once
        Objects that went through the network together in the end.
    worker
        Where it ran last.
    message
        Why it failed.
    """

    name: str
    image: str
    output: str
    status: Status = Status.WAITING
    seconds: float = 0.0
    frames: int = 0
    objects: int = 0
    confidence: float = 0.0
    visits: int = 0
    computed: int = 0
    at_once: int = 0
    worker: str = ""
    message: str = ""

    def write(self, path: Path, fingerprint: str) -> None:
        """Write down that the sequence is done, and what it was that was done."""
        code = {**asdict(self), "status": self.status.value, "fingerprint": fingerprint}
        with whole_file(path, overwrite=True) as partial:
            partial.write_text(json.dumps(code, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path, fingerprint: str) -> Outcome | None:
        """Return what was written down; None where there is nothing, or it is of something else."""
        try:
            code = json.loads(path.read_bytes())
            if code["fingerprint"] != fingerprint:
                return None
            parts = {field.name: code[field.name] for field in fields(cls)}
            return cls(**{**parts, "status": Status(code["status"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Note:
    """Where a part of a sequence is, told while it is worked on: so many visits of so many."""

    name: str
    part: int
    done: int
    total: int
    worker: str = ""
