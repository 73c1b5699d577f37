"""What was found on finished frames, in a file that only grows, so that a killed run loses none of it."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import StorageError
from napari_sam2.io.output import failure
from napari_sam2.io.run_length import decode_mask, encode_mask
from napari_sam2.prompts import FrameIndex, ObjectId

Mask = npt.NDArray[np.bool_]

FORMAT = "napari-sam2 batch journal 1"


@dataclass(frozen=True, slots=True)
class Found:
    """One object on one frame.

    Attributes
    ----------
    score
        Predicted overlap with the true mask times the probability that the object is in view.
    mask
        COCO's run-length code of its pixels.
    lost
        The code of those pixels of it that another object has in the labels; empty where that are none.
    """

    object_id: ObjectId
    score: float
    mask: str
    lost: str = ""

    @classmethod
    def of(cls, object_id: ObjectId, score: float, mask: Mask, owned: Mask) -> Found:
        """Return the code of a mask (H, W), of which the labels give it the pixels `owned` alone."""
        lost = mask & ~owned
        return cls(object_id, score, _counts(mask), _counts(lost) if lost.any() else "")

    def pixels(self, shape: tuple[int, int]) -> Mask:
        """Return the mask (H, W)."""
        return _mask(self.mask, shape)

    def owned(self, shape: tuple[int, int]) -> Mask:
        """Return the pixels (H, W) that are the object's in the labels."""
        mask = self.pixels(shape)
        return mask & ~_mask(self.lost, shape) if self.lost else mask


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished visit.

    Attributes
    ----------
    frame
        Of the sequence.
    checksum
        Of the file that holds what the tracker remembers of the visit.
    """

    frame: FrameIndex
    found: tuple[Found, ...]
    checksum: int


class Journal:
    """Finished visits by number, on disk; only their places are kept in memory.

    Every line stands for itself. What a crash left of the last one is cut off when the journal is opened, and
    a journal of something else begins anew.

    Parameters
    ----------
    path
        The file.
    head
        What the visits depend on, as JSON has it; None to read whatever is there.

    Raises
    ------
    StorageError
        The file cannot be read or written, or there is none to read.
    """

    def __init__(self, path: Path, head: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.head: dict[str, Any] = {}
        self._ends = array("q")
        try:
            self._file: BinaryIO = path.open("rb" if head is None else "a+b", buffering=0)
        except OSError as error:
            raise failure(path, error) from error
        try:
            known = self._recover()
            if head is None and not known:
                raise StorageError(f"{path} is no journal, or it is damaged: run the batch again.")
            if head is not None and not (known and self.head == dict(head)):
                self.head = dict(head)
                self._file.truncate(0)
                self._ends = array("q", [self._write({"format": FORMAT, **self.head}, 0)])
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError):
                raise failure(path, error) from error
            raise

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> Entry:
        """Read a visit; negative numbers count from the newest."""
        number += len(self) if number < 0 else 0
        if not 0 <= number < len(self):
            raise IndexError(f"{self.path.name} has {len(self)} visit(s), so there is no number {number}.")
        start, end = self._ends[number], self._ends[number + 1]
        try:
            self._file.seek(start)
            code = json.loads(self._file.read(end - start))
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{self.path} cannot be read any more ({error}): run the batch again."
            ) from error
        return Entry(code["frame"], tuple(Found(*one) for one in code["found"]), code["checksum"])

    def append(self, entry: Entry) -> None:
        """Add the next visit; a process that is killed from now on keeps it.

        Raises
        ------
        StorageError
            The disk is full, or gone.
        """
        found = [[one.object_id, one.score, one.mask, one.lost] for one in entry.found]
        code = {"frame": entry.frame, "found": found, "checksum": entry.checksum}
        try:
            self._ends.append(self._write(code, self._ends[-1]))
        except OSError as error:
            raise failure(self.path, error) from error

    def cut(self, count: int) -> None:
        """Forget all but the first `count` visits."""
        del self._ends[count + 1 :]
        self._file.truncate(self._ends[-1])

    def sync(self) -> None:
        """Bring all that was added to the disk itself, so that a power failure spares it."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Give the file back; closing twice is fine."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, code: Mapping[str, Any], at: int) -> int:
        line = json.dumps(code, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(at)  # half a line in the middle would be taken for the end
            raise
        return at + len(line)

    def _recover(self) -> bool:
        """Find the whole lines, and cut off what is behind them; whether there is a head."""
        self._file.seek(0)
        end = 0
        with open(self._file.fileno(), "rb", closefd=False) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                try:
                    code = json.loads(line)
                except ValueError:
                    break
                if not end:
                    if not isinstance(code, dict) or code.pop("format", None) != FORMAT:
                        return False
                    self.head = code
                end += len(line)
                self._ends.append(end)
        if end and "+" in self._file.mode:
            self._file.truncate(end)
        return bool(end)


def _counts(mask: Mask) -> str:
    counts: str = encode_mask(mask)["counts"]
    return counts


def _mask(counts: str, shape: tuple[int, int]) -> Mask:
    return decode_mask({"size": shape, "counts": counts})
