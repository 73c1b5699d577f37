"""The named checkpoints: where they are published, and where they are kept.

The publishers give no checksums. So the SHA-256 of what came is recorded beside the file when it is first
complete, and checked on every later use: this tells a file that changed on the disk, not one that was wrong
from the start (against which stand the secure connection, the announced size and the strict check of shapes;
for SAM's three files also the SHA-256 that others have recorded).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from napari_sam2.errors import CheckpointError, StorageError
from napari_sam2.io.download import Progress, Unreachable, download

EMBEDDED = "nano"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A published weights file: its name here, its address, and its SHA-256 where that is known."""

    name: str
    url: str
    sha256: str | None = None

    @property
    def file_name(self) -> str:
        """The name of the file, at its publisher's and in the cache."""
        return self.url.rpartition("/")[2]


_BASE = "https://dl.fbaipublicfiles.com/segment_anything_2"
_SAM1_BASE = "https://dl.fbaipublicfiles.com/segment_anything"

# Not from the publisher, but recorded alike by several independent projects.
_SAM1 = {
    "sam_vit_b": ("01ec64", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    "sam_vit_l": ("0b3195", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"),
    "sam_vit_h": ("4b8939", "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"),
}

CHECKPOINTS: dict[str, Checkpoint] = {
    f"{release}_hiera_{size}": Checkpoint(
        f"{release}_hiera_{size}", f"{_BASE}/{folder}/{release}_hiera_{size}.pt"
    )
    for release, folder in (("sam2", "072824"), ("sam2.1", "092824"))
    for size in ("tiny", "small", "base_plus", "large")
} | {
    name: Checkpoint(name, f"{_SAM1_BASE}/{name}_{suffix}.pth", sha256)
    for name, (suffix, sha256) in _SAM1.items()
}


def model_names() -> tuple[str, ...]:
    """Return every name that `load_model` knows, the embedded model first."""
    return (EMBEDDED, *CHECKPOINTS)


def cache_folder() -> Path:
    """Return the folder of fetched checkpoints: ``$NAPARI_SAM2_CACHE``, or the user's cache."""
    import pooch

    return Path(os.environ.get("NAPARI_SAM2_CACHE") or pooch.os_cache("napari-sam2")).expanduser()


def embedding_folder() -> Path:
    """Return the folder in which sessions may keep encoded frames: in that of the checkpoints."""
    return cache_folder() / "embeddings"


def cached(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the checkpoints that are in `folder` (the cache by default)."""
    folder = folder or cache_folder()
    return tuple(name for name, entry in CHECKPOINTS.items() if (folder / entry.file_name).is_file())


def checkpoint(name: str) -> Checkpoint:
    """Return the published checkpoint called `name`.

    Raises
    ------
    CheckpointError
        If there is none; the message lists the names and suggests a close one.
    """
    try:
        return CHECKPOINTS[name]
    except KeyError:
        close = get_close_matches(name, model_names(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise CheckpointError(
            f"No model is called {name!r}, and there is no such file.{hint} "
            f"The names are {', '.join(model_names())}."
        ) from None


def fetch(
    name: str,
    folder: Path | None = None,
    base: str | None = None,
    progress: Progress | None = None,
    attempts: int = 3,
) -> Path:
    """Return the file of a named checkpoint, downloading it where it is not in the cache yet.

    Parameters
    ----------
    name
        One of `CHECKPOINTS`.
    folder
        Where the file is kept; `cache_folder` by default.
    base
        Address of a mirror: the file is fetched from there, under its published name.
    progress
        Called after each piece that comes.
    attempts
        How often a cut connection is taken up again within this call.

    Raises
    ------
    CheckpointError
        If the name is unknown, the server cannot be reached or refuses, the connection is cut, or the file in
        the cache is not the one that was downloaded.
    StorageError
        If the folder cannot be written or the disk is full.
    """
    entry = checkpoint(name)
    folder = folder or cache_folder()
    target = folder / entry.file_name
    if not target.is_file():
        url = f"{base.rstrip('/')}/{entry.file_name}" if base else entry.url
        try:
            download(url, target, progress, attempts)
        except Unreachable as error:
            there = ", ".join((EMBEDDED, *cached(folder)))
            raise CheckpointError(
                f"{name!r} is not on this machine and {url} cannot be reached. Offline, put the file "
                f"{entry.file_name} into {folder} by hand. Models that are here already: {there}."
            ) from error
    _check_recorded(target, entry.sha256)
    return target


def _check_recorded(path: Path, published: str | None) -> None:
    """Compare the file with the known SHA-256, or with that recorded beside it; record it the first time."""
    record = path.with_name(f"{path.name}.sha256")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if published not in (None, found):
        raise CheckpointError(
            f"{path} is not the published file (its SHA-256 is {found}, not {published}). Delete it to fetch "
            "it anew, or give a file of your own by its path."
        )
    if not record.is_file():
        try:
            record.write_text(f"{found}  {path.name}\n")
        except OSError as error:
            raise StorageError(f"Cannot write {record}: {error.strerror or error}.") from error
        return
    recorded = record.read_text().split()
    if recorded[:1] != [found]:
        raise CheckpointError(
            f"{path} is not the file that was recorded when it came (its SHA-256 is {found}, {record.name} "
            f"says {recorded[0] if recorded else 'nothing'}). Delete both to fetch it anew."
        )
