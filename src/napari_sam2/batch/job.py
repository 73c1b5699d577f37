"""One sequence of a plan as it is handed to workers: its files, and what has to be the same to go on."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_sam2.batch.codec import prompt_to_json
from napari_sam2.batch.plan import PlannedSequence, Settings


@dataclass(frozen=True, slots=True)
class Job:
    """One sequence, and how it is worked on.

    Attributes
    ----------
    sequence, settings
        Of the plan.
    folder
        Of the plan's results.
    work
        Of the plan's journals.
    overwrite
        Whether an output that this batch did not make may be replaced.
    """

    sequence: PlannedSequence
    settings: Settings
    folder: Path
    work: Path
    overwrite: bool = False

    @property
    def name(self) -> str:
        """What the sequence is called in the report: its output, without the way there."""
        output = self.sequence.output
        return (
            output.relative_to(self.folder).as_posix() if output.is_relative_to(self.folder) else str(output)
        )

    @property
    def own(self) -> Path:
        """The folder of the sequence's journals."""
        readable = re.sub(r"[^\w.-]+", "_", self.name)[-60:]
        return self.work / f"{readable}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    @property
    def marker(self) -> Path:
        """The file that says that the sequence is done."""
        return self.own / "done.json"

    @property
    def intent(self) -> Path:
        """The file that says that the output is being written: what lies there from then on is ours."""
        return self.own / "writing.json"

    @property
    def thumbnail(self) -> Path:
        """A picture of the results."""
        return self.own / "thumbnail.png"

    def owns_output(self) -> bool:
        """Whether an output that is there may be replaced: an earlier run began to write it."""
        try:
            told: dict[str, Any] = json.loads(self.intent.read_bytes())
        except (OSError, ValueError):
            return False
        return told.get("fingerprint") == self.fingerprint()

    def journal(self, part: Part) -> Path:
        """The file of a part's finished visits."""
        return self.own / f"part-{part.number:04d}.journal"

    def memories(self, part: Part) -> Path:
        """The folder of what the tracker remembers of a part."""
        return self.own / f"part-{part.number:04d}"

    def lock(self, part: Part | None) -> Path:
        """The file that one worker at a time holds while it works on a part, or on the outputs."""
        return self.own / ("finish.lock" if part is None else f"part-{part.number:04d}.lock")

    def fingerprint(self) -> str:
        """Return a hash of all that the results depend on; files are told apart by size and time."""
        sequence, settings = self.sequence, self.settings
        labels = sequence.labels
        told = {
            "image": _stamp(sequence.image),
            "output": str(sequence.output),
            "prompts": [prompt_to_json(one) for one in sequence.prompts],
            "labels": None if labels is None else [*_stamp(labels.path), labels.frame],
            "births": [asdict(birth) for birth in sequence.births],
            "names": sorted(sequence.names.items()),
            "model": _stamp(Path(settings.model)) if Path(settings.model).is_file() else settings.model,
            "way": settings.way.value,
            "policy": asdict(settings.policy),
            "reading": asdict(settings.reading),
            "kind": None if settings.kind is None else settings.kind.value,
            "cut": None if settings.cut is None else asdict(settings.cut),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _stamp(path: Path) -> list[Any]:
    """Tell one state of a file from another without reading it; of a folder only the entries count."""
    try:
        about = path.stat()
    except OSError:
        return [str(path), None, None]
    return [str(path), about.st_size, about.st_mtime_ns]


@dataclass(frozen=True, slots=True)
class Part:
    """Some frames of a sequence that are followed in one go, from `start` to `stop` - 1.

    Attributes
    ----------
    number
        From 0 on.
    """

    number: int
    start: int
    stop: int

    @property
    def frames(self) -> range:
        """The frames, as the sequence numbers them."""
        return range(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker does in one go.

    Attributes
    ----------
    parts
        Which are followed; None for the whole sequence in one.
    finish
        Whether outputs are written then. All parts have to be finished.
    at_once
        Objects that go through the network together.
    """

    job: Job
    at_once: int
    parts: tuple[Part, ...] | None = None
    finish: bool = True
