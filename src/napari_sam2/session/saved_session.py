"""The session file: everything that a session holds, as one JSON document."""

from __future__ import annotations

import errno
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_sam2.errors import Sam2Error, StorageError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.session import codec, effort
from napari_sam2.session.commands import Propagate
from napari_sam2.session.document import Document, Kind, Place, Value
from napari_sam2.session.effort import EffortTable
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.image import ImageReference

FORMAT = "napari-sam2 session"
VERSION = 1

_TABLES = (
    ("objects", Kind.OBJECT),
    ("divisions", Kind.DIVISION),
    ("prompts", Kind.PROMPT),
    ("masks", Kind.MASK),
)


@dataclass(slots=True)
class SavedSession:
    """What a session file says.

    Attributes
    ----------
    image
        Which image.
    axes, spacing
        Names of the image's axes, and the distance of frames, rows and columns; None where not given.
    intensity
        What the network sees; None as long as nothing was asked of it.
    model, sha256
        Name of the network, None for one that was given as an object; and the hash of its weights.
    policy, guard
        Switches of the tracker, and where following stops.
    document
        Objects, divisions, prompts, masks, steps.
    provenance
        Software and versions.
    journal
        Which journal belongs to the file.
    at
        Where the session stays along axes other than that of the frames.
    effort
        What the user did for each object; None where it is not counted.
    """

    image: ImageReference
    axes: str | None
    spacing: tuple[float, ...] | None
    intensity: IntensityMap | None
    model: str | None
    sha256: str | None
    policy: TrackingPolicy
    guard: LeakGuard
    document: Document
    provenance: dict[str, Any] = field(default_factory=dict)
    journal: str | None = None
    at: dict[str, int] = field(default_factory=dict)
    effort: EffortTable | None = field(default_factory=dict)

    def write(self, path: Path) -> int:
        """Write the file, whole or not at all, and return its size in bytes.

        Raises
        ------
        StorageError
            The disk is full, or the folder is missing or read-only; what was there is untouched.
        """
        text = json.dumps(self._to_json(path), allow_nan=False, separators=(",", ":")).encode()
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            try:
                with partial.open("xb") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise failure(path, error) from error
        return len(text)

    @classmethod
    def read(cls, path: Path) -> SavedSession:
        """Read a file.

        Raises
        ------
        StorageError
            The file is missing, damaged, no session, or of a newer version.
        """
        try:
            code = json.loads(path.read_bytes())
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({error.strerror or error}).") from error
        except ValueError as error:
            raise StorageError(f"{path} is no session file, or it is damaged ({error}).") from error
        if not isinstance(code, dict) or code.get("format") != FORMAT:
            raise StorageError(f"{path} is no session file: it does not say {FORMAT!r}.")
        if code.get("version") != VERSION:
            raise StorageError(
                f"{path} is a session file of version {code.get('version')}, but version {VERSION} is read "
                "here: update napari-sam2."
            )
        try:
            return cls._from_json(code, path)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, Sam2Error) as error:
            raise StorageError(f"{path} is a damaged session file ({error!r}).") from error

    def _to_json(self, path: Path) -> codec.Json:
        unfinished = self.document.unfinished
        tables: dict[Kind, list[Any]] = {kind: [] for _, kind in _TABLES}
        for place in self.document.everything():
            entry = {"object": place.object_id}
            if place.frame >= 0:
                entry["frame"] = place.frame
            tables[place.kind].append(entry | (codec.value_to_json(self.document.read(place)) or {}))
        image = self.image.path
        return {
            "format": FORMAT,
            "version": VERSION,
            "image": {
                "path": None if image is None else str(image.absolute()),
                "beside": None if image is None else os.path.relpath(image, path.parent),
                "shape": list(self.image.shape),
                "sha256": self.image.sha256,
            },
            "axes": self.axes,
            "at": self.at,
            "spacing": None if self.spacing is None else list(self.spacing),
            "intensity": codec.intensity_to_json(self.intensity),
            "model": {"name": self.model, "sha256": self.sha256},
            "policy": codec.policy_to_json(self.policy),
            "guard": asdict(self.guard),
            **{name: tables[kind] for name, kind in _TABLES},
            "steps": [codec.command_to_json(step) for step in self.document.steps],
            "unfinished": None if unfinished is None else codec.command_to_json(unfinished),
            "provenance": self.provenance,
            "effort": None if self.effort is None else effort.to_json(self.effort.values()),
            "journal": self.journal,
        }

    @classmethod
    def _from_json(cls, code: codec.Json, path: Path) -> SavedSession:
        document = Document(steps=[codec.command_from_json(step) for step in code["steps"]])
        for name, kind in _TABLES:
            for entry in code[name]:
                on_frame = kind in (Kind.PROMPT, Kind.MASK)
                place = Place(kind, int(entry.pop("object")), int(entry.pop("frame")) if on_frame else -1)
                value: Value | None = codec.value_from_json(kind, entry)
                document.write(place, value)
        document.unfinished = propagation(code["unfinished"])
        image, spacing = code["image"], code["spacing"]
        found = None if image["path"] is None else Path(image["path"])
        if found is not None and not found.exists() and (beside := path.parent / image["beside"]).exists():
            found = beside
        return cls(
            ImageReference(found, tuple(image["shape"]), image["sha256"]),
            code["axes"],
            None if spacing is None else tuple(spacing),
            codec.intensity_from_json(code["intensity"]),
            code["model"]["name"],
            code["model"]["sha256"],
            codec.policy_from_json(code["policy"]),
            LeakGuard(**code["guard"]),
            document,
            code["provenance"],
            code["journal"],
            {letter: int(index) for letter, index in code.get("at", {}).items()},
            None if (rows := code.get("effort", [])) is None else effort.from_json(rows),
        )


def propagation(code: codec.Json | None) -> Propagate | None:
    """Return what is unfinished."""
    if code is None:
        return None
    command = codec.command_from_json(code)
    if not isinstance(command, Propagate):
        raise ValueError("what is unfinished is no propagation")
    return command


def failure(path: Path, error: OSError) -> StorageError:
    """Say why a session could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"The disk is full: {path.name} was not written. Free some space in {path.parent}, or save the "
            "session somewhere else."
        )
    return StorageError(
        f"{path} was not written ({error.strerror or error}): check the folder, or choose another."
    )
