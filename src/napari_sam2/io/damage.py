"""What a damaged file is told in: errors in words, and the log of tifffile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_sam2.errors import StorageError


def unreadable(path: Path, error: Exception, where: str = "") -> StorageError:
    """Return the error for a file whose content makes no sense; `where` is a place in it (" at frame 3")."""
    if "imagecodecs" in str(error):
        return StorageError(f"{path.name} needs a decoder ({error}): pip install imagecodecs.")
    return StorageError(
        f"{path.name} cannot be read{where} ({error}): it is damaged, cut short or not what its name says. "
        "Copy or export it again."
    )


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what tifffile would log on this thread: damage becomes an error, and stderr stays clean."""
    said: list[str] = []
    thread = threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        if record.thread == thread:
            said.append(record.getMessage())
        return record.thread != thread

    logger = logging.getLogger("tifffile")
    logger.addFilter(keep)
    try:
        yield said
    finally:
        logger.removeFilter(keep)
