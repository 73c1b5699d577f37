"""Sessions that are kept in case of a crash: one file a session, found again by its image."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path

import psutil

from napari_sam2.errors import StorageError
from napari_sam2.io.registry import cache_folder
from napari_sam2.session.autosave import catch_up, journal_of
from napari_sam2.session.saved_session import SavedSession
from napari_sam2.session.session import Session

# So many earlier sessions of an image are kept.
KEPT = 5
_count = itertools.count()


def autosave_folder() -> Path:
    """Return the folder, beside the fetched checkpoints."""
    return cache_folder() / "sessions"


def key_of(session: Session) -> str:
    """Return the name under which sessions of the same view of the same image are found."""
    held = "".join(f"-{letter}{index}" for letter, index in sorted(session.at.items()))
    return f"{session.image.sha256[:16]}-{session.axes or 'TYX'}{held}"


def new_file(key: str) -> Path:
    """Return a file name that no other session uses, of this program or another that runs now."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return autosave_folder() / f"{key}.{stamp}.{os.getpid()}.{next(_count)}.json"


def earlier(key: str, own: Path | None = None) -> Path | None:
    """Return the newest file that a program left behind which has ended, and that holds work.

    Empty ones and all but the newest few are deleted.
    """
    left = [file for file in sorted(autosave_folder().glob(f"{key}.*.json")) if file != own and _ended(file)]
    found: list[Path] = []
    for file in reversed(left):
        if len(found) < KEPT and _holds_work(file):
            found.append(file)
        else:
            delete(file)
    return found[0] if found else None


def delete(file: Path) -> None:
    """Delete a file and its journal."""
    for one in (file, journal_of(file)):
        one.unlink(missing_ok=True)


def _ended(file: Path) -> bool:
    pid = file.name.split(".")[-3]
    return pid.isdecimal() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid)))


def _holds_work(file: Path) -> bool:
    """Whether anything was done; a damaged file is kept, since somebody may mend it."""
    try:
        saved = SavedSession.read(file)
        catch_up(saved, file)
    except (StorageError, json.JSONDecodeError):
        return True
    return bool(saved.document.steps)
