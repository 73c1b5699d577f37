"""Folders that a command writes its pictures to."""

from __future__ import annotations

import re
from pathlib import Path

from napari_sam2.errors import StorageError


def make_folder(folder: Path, inside: str, overwrite: bool) -> None:
    """Make a folder and one `inside` it; numbered pictures of an earlier run there go, other files stay.

    Raises
    ------
    StorageError
        If there is something in the folder and `overwrite` is not set, or it cannot be made.
    """
    try:
        if folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise StorageError(f"{folder} is not empty: give another --out, or --overwrite.")
        (folder / inside).mkdir(parents=True, exist_ok=True)
        for old in (folder / inside).iterdir():
            if re.fullmatch(r"\d{2,}\.png", old.name):
                old.unlink()
    except OSError as error:
        raise StorageError(f"The folder {folder} cannot be used: {error.strerror or error}.") from error
