"""What a damaged file is told in: errors in words, and the log of tifffile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_sam2.errors import Sam2Error, StorageError


def unreadable(path: Path, error: Exception, where: str = "") -> StorageError:
    """Return the error for a file whose content makes no sense; `where` is a place in it (" at frame 3")."""
    if "imagecodecs" in str(error):
        return StorageError(f"{path.name} needs a decoder ({error}): pip install imagecodecs.")
    return StorageError(
        f"{path.name} cannot be read{where} ({error}): it is damaged, cut short or not what its name says. "
        "Copy or export it again."
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Refuse an empty file, and turn what libraries raise about a damaged one into a sentence."""
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise StorageError(f"{path.name} is empty (0 bytes): copy or export it again.")
        yield
    except Sam2Error:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise unreadable(path, error) from error


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
