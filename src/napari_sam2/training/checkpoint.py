"""The state of a stage on disk: complete, with the one before, or an error that leaves both."""

from __future__ import annotations

import errno
import io
import os
import warnings
from pathlib import Path
from typing import Any

import torch

from napari_sam2.errors import StorageError

LAST = "last.pt"
PREVIOUS = "previous.pt"

State = dict[str, Any]


def save_state(state: State, folder: Path) -> Path:
    """Write `last.pt`, keeping the one before as `previous.pt`.

    The file gets its name when it is complete and on the disk: a kill or a full disk leaves what was there.

    Raises
    ------
    StorageError
        It could not be written; the earlier files are as they were.
    """
    last, partial = folder / LAST, folder / f".{LAST}.partial"
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        if last.is_file():
            os.replace(last, folder / PREVIOUS)
        os.replace(partial, last)
    except OSError as error:
        partial.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "the disk is full" if full else str(error)
        raise StorageError(
            f"The checkpoint {last} could not be written: {reason}. The one before is untouched; free some "
            "space and start the same command again."
        ) from error
    return last


def load_state(folder: Path) -> State | None:
    """Return the newest readable state in a folder, on the CPU; None where there is none.

    Raises
    ------
    StorageError
        There are checkpoints, but none can be read.
    """
    reason: Exception | None = None
    for name in (LAST, PREVIOUS):
        path = folder / name
        if not path.is_file():
            continue
        try:
            state: State = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged archive raises what it likes
            reason = error
            warnings.warn(f"{path} is damaged and is passed over.", UserWarning, stacklevel=2)
            continue
        return state
    if reason is not None:
        raise StorageError(
            f"No checkpoint in {folder} can be read ({type(reason).__name__}): delete the folder to "
            "start from the beginning."
        ) from reason
    return None
