"""A session file that is always up to date, whatever happens to the process."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from napari_sam2.errors import StorageError
from napari_sam2.session import codec, effort
from napari_sam2.session.commands import Propagate
from napari_sam2.session.document import Document
from napari_sam2.session.effort import Effort
from napari_sam2.session.saved_session import SavedSession, failure, propagation
from napari_sam2.session.step_note import StepNote

REWRITE_BYTES = 8 * 2**20

SYNC_SECONDS = 0.5
"""Frames of a propagation reach the disk itself at most so often; they can be worked out again."""


class Autosave:
    """Writes a session file once, then a line for every change into a journal beside it.

    A change costs what it changed, not what the session holds. When the journal has grown larger than the
    file, the file is written anew, and the journal begins again. A killed process leaves at most its last
    line unfinished; a reader leaves that out. What the user does is on the disk itself when `note` returns,
    so that a power failure spares it, too.

    Parameters
    ----------
    path
        The session file; the journal's name is that with ``.journal`` added.
    saved
        Returns the session as it is now.

    Raises
    ------
    StorageError
        The file cannot be written.
    """

    def __init__(self, path: Path, saved: Callable[[], SavedSession]) -> None:
        self.path = path
        self._saved = saved
        self._file: BinaryIO | None = None
        self._size = self._written = 0
        self._complete = False
        self._synced = -SYNC_SECONDS
        self._begin()

    def note(self, note: StepNote, rows: Sequence[Effort] = ()) -> None:
        """Write down a change, and the rows of the effort table that it changed.

        Raises
        ------
        StorageError
            The disk is full, or the file is gone.
        """
        if self._file is None:
            return
        if not self._complete:
            self._begin()
            return
        try:
            self._line(note_to_json(note, rows))
            underway = isinstance(note.command, Propagate) and note.unfinished is not None
            if not underway or time.monotonic() - self._synced >= SYNC_SECONDS:
                self._sync()
        except OSError as error:
            raise failure(journal_of(self.path), error) from error
        if self._written > max(REWRITE_BYTES, self._size):
            self._begin()

    def close(self) -> None:
        """Stop; the files stay."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a disk that fails has been told of
                self._sync()
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _begin(self) -> None:
        token = secrets.token_hex(8)
        saved = self._saved()
        saved.journal = token
        # What the network is and sees shows with the first prompt; the journal has no place for it.
        self._complete = saved.sha256 is not None and saved.intensity is not None
        self._size = saved.write(self.path)
        self.close()
        try:
            self._file = journal_of(self.path).open("wb", buffering=0)
            self._written = 0
            self._line({"journal": token})
            self._sync()
            _sync_folder(self.path.parent)
        except OSError as error:
            raise failure(journal_of(self.path), error) from error

    def _sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _line(self, code: codec.Json) -> None:
        assert self._file is not None
        line = json.dumps(code, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._written += len(line)


def journal_of(path: Path) -> Path:
    """Return the place of a session file's journal."""
    return path.with_name(f"{path.name}.journal")


def note_to_json(note: StepNote, rows: Sequence[Effort] = ()) -> codec.Json:
    """Return a line of the journal."""
    line = {
        "changes": [
            [codec.place_to_json(place), codec.value_to_json(change.after)]
            for place, change in note.changes.items()
        ],
        "dropped": note.dropped,
        "command": None if note.command is None else codec.command_to_json(note.command),
        "unfinished": None if note.unfinished is None else codec.command_to_json(note.unfinished),
    }
    return line | {"effort": effort.to_json(rows)} if rows else line


def catch_up(saved: SavedSession, path: Path) -> bool:
    """Bring what a session file says up to date with its journal.

    Returns
    -------
    bool
        Whether the journal had anything to add.

    Raises
    ------
    StorageError
        A line other than the last is damaged.
    """
    journal = journal_of(path)
    if saved.journal is None or not journal.exists():
        return False
    try:
        *lines, torn = journal.read_bytes().split(b"\n")
    except OSError as error:
        raise StorageError(f"{journal} cannot be read ({error.strerror or error}).") from error
    del torn  # whole lines end in a line feed: behind the last there is nothing, or what a crash cut short
    try:
        if not lines or json.loads(lines[0]).get("journal") != saved.journal:
            return False  # of an earlier state that the file contains already
        for line in lines[1:]:
            code = json.loads(line)
            _apply(saved.document, code)
            if saved.effort is not None:
                saved.effort = {**saved.effort, **effort.from_json(code.get("effort", []))}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise StorageError(
            f"{journal} is damaged ({error!r}): move it away to open the session without the newest changes."
        ) from error
    return len(lines) > 1


def _apply(document: Document, code: codec.Json) -> None:
    for where, value in code["changes"]:
        place = codec.place_from_json(where)
        document.write(place, codec.value_from_json(place.kind, value))
    if code["dropped"]:
        del document.steps[-code["dropped"] :]
    if code["command"] is not None:
        document.steps.append(codec.command_from_json(code["command"]))
    document.unfinished = propagation(code["unfinished"])


def _sync_folder(folder: Path) -> None:
    """See to it that new names in a folder outlast a power failure, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
