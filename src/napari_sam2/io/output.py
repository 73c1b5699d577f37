"""Files and folders that appear whole under their name, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_sam2.errors import StorageError


def check_file(path: Path, overwrite: bool) -> None:
    """Raise StorageError where a file cannot be written, or is there and shall not be replaced."""
    if path.is_dir():
        raise StorageError(f"{path} is a folder: choose another name for the file.")
    _check(path, overwrite)


def check_folder(path: Path, overwrite: bool, replaceable: Callable[[Path], bool]) -> None:
    """Raise StorageError where a folder of that name cannot be written.

    Parameters
    ----------
    path, overwrite
        Which folder, and whether it may be replaced. An empty one always may.
    replaceable
        Whether all that is in a folder comes from an earlier export, so that nothing else is lost.
    """
    if path.exists() and not path.is_dir():
        raise StorageError(f"{path} is a file: choose another name for the folder.")
    if path.is_dir() and not any(path.iterdir()):
        overwrite = True
    elif path.is_dir() and overwrite and not replaceable(path):
        raise StorageError(
            f"{path} holds other things than such an export, which would be lost: choose another name, or "
            "take it away yourself."
        )
    _check(path, overwrite)


@contextmanager
def whole_file(path: Path, overwrite: bool) -> Iterator[Path]:
    """Give the name of a temporary neighbour to write to; it gets the real name when the block ends well.

    Raises
    ------
    StorageError
        As `check_file` says, before and after; or the disk is full or the like. What was there is untouched.
    """
    check_file(path, overwrite)
    partial = _neighbour(path)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        check_file(path, overwrite)
        os.replace(partial, path)
    except OSError as error:
        raise failure(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, overwrite: bool, replaceable: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a temporary folder beside to write to; it gets the real name when the block ends well.

    Raises
    ------
    StorageError
        As `check_folder` says, before and after; or the disk is full or the like. What was there is
        untouched.
    """
    check_folder(path, overwrite, replaceable)
    partial, old = _neighbour(path), _neighbour(path)
    try:
        partial.mkdir()
        yield partial
        check_folder(path, overwrite, replaceable)
        if path.exists():
            os.replace(path, old)  # a folder cannot be replaced in one step
        try:
            os.replace(partial, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
    except OSError as error:
        raise failure(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def failure(path: Path, error: OSError) -> StorageError:
    """Return the sentence for what stopped the writing of a file or folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"The disk is full: {path.name} was not written, and nothing was left behind. "
            f"Free some space in {path.parent}, or choose another folder."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"{path.parent} cannot be written to (read-only): choose another folder.")
    return StorageError(f"{path.name} was not written ({error}): check the disk and try again.")


def _check(path: Path, overwrite: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise StorageError(f"The folder {folder} does not exist: make it, or choose another.")
    if path.exists() and not overwrite:
        raise StorageError(
            f"{path} exists already: choose another name, or pass overwrite=True "
            "(--overwrite on the command line)."
        )
    if not os.access(folder, os.W_OK):
        raise failure(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _neighbour(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
