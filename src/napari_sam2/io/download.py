"""One file from the web to the disk: resumable, complete or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_sam2.errors import CheckpointError, StorageError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be (None where the server does not say)."""

_CHUNK = 1 << 16  # what a cut connection loses at the most
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0


class Unreachable(CheckpointError):
    """The server cannot be reached at all: no network, no such host, nobody listening."""


class _Cut(Exception):
    """The connection ended before the announced size."""


def download(url: str, target: Path, progress: Progress | None = None, attempts: int = 3) -> None:
    """Fetch `url` into the file `target`.

    A connection that is cut leaves ``<target>.part``; the next attempt, or the next call, goes on from there.
    The file gets its own name only when it is complete.

    Parameters
    ----------
    url, target
        From where, to where. Missing folders are made.
    progress
        Called after each piece.
    attempts
        How often a cut connection is taken up again within this call.

    Raises
    ------
    Unreachable
        If no connection can be made.
    CheckpointError
        If the server refuses, or the connection is cut for the last time.
    StorageError
        If the folder cannot be written or the disk is full.
    """
    import requests

    part = target.with_name(f"{target.name}.part")
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    for left in reversed(range(attempts)):
        try:
            _fetch_rest(url, part, progress)
            break
        except (requests.RequestException, _Cut) as error:
            if not left:
                raise CheckpointError(
                    f"The download of {url} broke off after {_megabytes(_size(part))}. What came is kept in "
                    f"{part}: run it again to go on from there. ({error})"
                ) from error
    with _writing(target):
        os.replace(part, target)
        _validator(part).unlink(missing_ok=True)


def _fetch_rest(url: str, part: Path, progress: Progress | None) -> None:
    """Append to `part` what is missing of `url`; return when the file is complete."""
    import requests

    have = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if _validator(part).is_file():
            # A file that changed on the server must not be sewn onto the old beginning.
            headers["If-Range"] = _validator(part).read_text().strip()
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    except requests.ConnectionError as error:
        raise Unreachable(f"{url} cannot be reached ({error}).") from error
    with response:
        if response.status_code == 416:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise _Cut("the piece kept from before does not fit the server's file and was thrown away")
        if response.status_code not in (200, 206):
            raise CheckpointError(
                f"The server refused {url}: {response.status_code} {response.reason}. Try again later, or "
                f"fetch the file by other means and put it into {part.parent}."
            )
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise CheckpointError(
                f"A web page came instead of {url}: a login page or a proxy stands in the way. Fetch the "
                f"file with a browser and put it into {part.parent}."
            )
        if response.status_code == 200:
            have = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise _Cut("the server sent another piece than the one asked for")
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with _writing(part):
            _keep_validator(part, response.headers.get("ETag") or response.headers.get("Last-Modified"))
            _check_room(part, (total or have) - have)
        with _opened(part, have) as write:
            for chunk in response.iter_content(_CHUNK):
                write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, total)
    if total is not None and have != total:
        raise _Cut(f"{have} of {total} bytes came")


@contextmanager
def _opened(part: Path, have: int) -> Iterator[Callable[[bytes], None]]:
    with _writing(part):
        file = part.open("ab" if have else "wb")

    def write(chunk: bytes) -> None:
        with _writing(part):
            file.write(chunk)

    try:
        yield write
    finally:
        with _writing(part):
            file.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk is full while writing {path}. Make room, or choose another folder with the "
                "environment variable NAPARI_SAM2_CACHE, and run it again: what came is kept."
            ) from error
        raise StorageError(f"Cannot write {path}: {error.strerror or error}.") from error


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise StorageError(
            f"{part.parent} has {_megabytes(free)} left and {_megabytes(needed)} are still to come. Make "
            "room, or choose another folder with the environment variable NAPARI_SAM2_CACHE."
        )


def _keep_validator(part: Path, value: str | None) -> None:
    # A weak tag does not promise the same bytes, and a range request must not use it.
    if value and not value.startswith("W/"):
        _validator(part).write_text(value)
    else:
        _validator(part).unlink(missing_ok=True)


def _validator(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
