"""Results in the format of the Cell Tracking Challenge (Maška et al. 2023): masks and res_track.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sam2.errors import StorageError
from napari_sam2.io.output import whole_folder
from napari_sam2.io.results import Results, overlapping_lives

Array = npt.NDArray[Any]

LARGEST = 2**16 - 1  # the format has 16 bits


@dataclass(slots=True)
class Track:
    """A line of res_track.txt: an object for as long as it is seen without a break."""

    label: int
    begin: int
    end: int
    parent: int


class TrackList:
    """The tracks that grow while labels come frame by frame.

    A track has pixels on each of its frames. Where an object was out of sight, another track begins when it
    comes back, whose parent is the one before: that is how the format bridges gaps. An object's first track
    has the object's id as label, if the ids fit 16 bits.

    Parameters
    ----------
    objects
        Ids of all that may come.
    lineage
        Mother by daughter.
    """

    def __init__(self, objects: list[int], lineage: dict[int, int]) -> None:
        if len(objects) > LARGEST:
            raise _too_many()
        fits = max(objects, default=0) <= LARGEST
        self._first = {number: number if fits else i for i, number in enumerate(sorted(objects), 1)}
        self._lineage = lineage
        self._taken = set(self._first.values())
        self._next = max(self._taken, default=0) + 1
        self.tracks: dict[int, list[Track]] = {}

    def add(self, frame: int, labels: Array) -> npt.NDArray[np.uint16]:
        """Return a frame's labels as the format wants them; frames come in order."""
        present, index = np.unique(labels, return_inverse=True)
        written = np.array([self._label(int(n), frame) if n else 0 for n in present], np.uint16)
        return written[index.reshape(labels.shape)]

    def lines(self) -> str:
        """Return what res_track.txt says: label, begin, end and parent of every track."""
        rows = sorted((one for tracks in self.tracks.values() for one in tracks), key=lambda one: one.label)
        return "".join(f"{one.label} {one.begin} {one.end} {one.parent}\n" for one in rows)

    def _label(self, number: int, frame: int) -> int:
        tracks = self.tracks.setdefault(number, [])
        if tracks and tracks[-1].end >= frame - 1:
            tracks[-1].end = frame
        elif tracks:
            tracks.append(Track(self._free(), frame, frame, tracks[-1].label))
        else:
            tracks.append(Track(self._first[number], frame, frame, 0))
        return tracks[-1].label

    def link(self) -> None:
        """Note the mothers, once all frames have come.

        Raises
        ------
        StorageError
            A daughter is there before her mother has gone.
        """
        for child, mother in self._lineage.items():
            if child not in self.tracks or mother not in self.tracks:
                continue  # never seen: there is no track to point to
            first, last = self.tracks[child][0], self.tracks[mother][-1]
            if last.end >= first.begin:
                raise overlapping_lives(child, first.begin, mother, last.end)
            first.parent = last.label

    def _free(self) -> int:
        if self._next > LARGEST:
            # Ids at the upper end leave no room behind them; there is some between.
            free = next((n for n in range(1, LARGEST + 1) if n not in self._taken), None)
            if free is None:
                raise _too_many()
        else:
            free = self._next
            self._next += 1
        self._taken.add(free)
        return free


def write_cell_tracking(results: Results, path: Path, overwrite: bool = False) -> None:
    """Write a result folder, such as 01_RES: mask000.tif, mask001.tif, ..., and res_track.txt.

    Parameters
    ----------
    results
        Labels; where masks overlap, the format has one of them. A stack through depth is one time,
        mask000.tif of (Z, H, W).
    path, overwrite
        The folder. The first mask's metadata say how it was made; `read_provenance` reads them.

    Raises
    ------
    StorageError
        More than 65535 tracks, a daughter from before her mother's end, or the folder cannot be written.
    """
    notes = {"provenance": results.notes}
    tracks = TrackList(list(results.objects), results.lineage)
    digits = max(3, len(str(len(results) - 1)))
    with whole_folder(path, overwrite, is_cell_tracking) as folder:
        if results.frame_axis == "Z":
            volume = (tracks.add(0, results.labels_on(z)) for z in range(len(results)))
            _write_mask(folder / "mask000.tif", volume, results.shape, "ZYX", notes)
        else:
            for t in range(len(results)):
                labels = tracks.add(t, results.labels_on(t))
                name = folder / f"mask{t:0{digits}d}.tif"
                _write_mask(name, labels, labels.shape, "YX", notes if t == 0 else {})
        tracks.link()
        (folder / "res_track.txt").write_text(tracks.lines(), encoding="ascii")


def is_cell_tracking(folder: Path) -> bool:
    """Whether there is nothing in a folder but a result of the challenge."""
    names = [entry.name for entry in folder.iterdir()]
    return all(re.fullmatch(r"mask\d+\.tif|res_track\.txt", name) for name in names)


def _write_mask(path: Path, data: Any, shape: tuple[int, ...], axes: str, notes: dict[str, Any]) -> None:
    tifffile.imwrite(
        path,
        data,
        shape=shape,
        dtype=np.uint16,
        photometric="minisblack",
        compression="zlib",
        metadata={"axes": axes} | notes,
        software="napari-sam2",
        maxworkers=1,
    )


def _too_many() -> StorageError:
    return StorageError(
        f"There are more than {LARGEST} tracks, which is all that the Cell Tracking Challenge's format has "
        "numbers for: export fewer objects, or another kind."
    )
