"""Remembered tensors under a budget: the most recently used stay in memory, the others wait in a file."""

from __future__ import annotations

import tempfile
import warnings
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from io import FileIO

import torch
from torch import Tensor

from napari_sam2.errors import StorageError
from napari_sam2.model.values import MaskPrediction


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Where the three parts of a record are: they are needed for different lengths of time."""

    mask: int
    pointer: int
    features: int | None


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    nbytes: int
    parts: tuple[tuple[tuple[int, ...], torch.dtype], ...]


class RecordStore:
    """Keeps bundles of tensors; what does not fit into the budget goes to a temporary file, bit for bit.

    Parameters
    ----------
    budget
        Bytes that may stay in memory.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.resident_bytes = 0
        self._resident: OrderedDict[int, tuple[Tensor, ...]] = OrderedDict()
        self._places: dict[int, _Place] = {}
        self._free: dict[int, list[int]] = {}
        self._file: FileIO | None = None
        self._end = 0
        self._next = 0
        self._disk_failed = False

    @property
    def spilled_bytes(self) -> int:
        """Size of the temporary file."""
        return self._end

    def put(self, *tensors: Tensor) -> int:
        """Keep `tensors` and return the key that gives them back."""
        key = self._next
        self._next += 1
        # A row of a batch would keep the whole batch alive.
        own = tuple(t if t.untyped_storage().nbytes() == t.nbytes else t.clone() for t in tensors)
        self._admit(key, own)
        return key

    def get(self, key: int) -> tuple[Tensor, ...]:
        """Return what was kept under `key`."""
        if key in self._resident:
            self._resident.move_to_end(key)
            return self._resident[key]
        tensors = self._read(self._places[key])
        self._admit(key, tensors)
        return tensors

    def drop(self, key: int) -> None:
        """Forget what was kept under `key`."""
        if key in self._resident:
            self.resident_bytes -= _nbytes(self._resident.pop(key))
        place = self._places.pop(key, None)
        if place is not None:
            self._free.setdefault(place.nbytes, []).append(place.offset)

    def close(self) -> None:
        """Forget everything and give the file back."""
        self._resident.clear()
        self._places.clear()
        self._free.clear()
        self.resident_bytes = self._end = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def put_prediction(self, prediction: MaskPrediction) -> RecordKey:
        """Keep one object's prediction (b = m = 1); it has no memory yet."""
        return RecordKey(
            self.put(prediction.logits, prediction.iou),
            self.put(prediction.pointer, prediction.object_score),
            None,
        )

    def prediction(self, key: RecordKey, device: torch.device) -> MaskPrediction:
        """Return the prediction kept under `key`; what comes back from the file was on the CPU."""
        logits, iou, pointer, object_score = (
            part.to(device) for part in (*self.get(key.mask), *self.get(key.pointer))
        )
        return MaskPrediction(logits, iou, object_score, pointer)

    def drop_record(self, key: RecordKey) -> None:
        """Forget all parts of a record."""
        for part in (key.mask, key.pointer, key.features):
            if part is not None:
                self.drop(part)

    def _admit(self, key: int, tensors: tuple[Tensor, ...]) -> None:
        self._resident[key] = tensors
        self.resident_bytes += _nbytes(tensors)
        while self.resident_bytes > self.budget and self._resident:
            oldest = next(iter(self._resident))
            if oldest not in self._places and not self._spill(oldest, self._resident[oldest]):
                return
            self.resident_bytes -= _nbytes(self._resident.pop(oldest))

    def _spill(self, key: int, tensors: tuple[Tensor, ...]) -> bool:
        if self._disk_failed:
            return False
        data = b"".join(t.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() for t in tensors)
        holes = self._free.get(len(data))
        offset = holes.pop() if holes else self._end
        try:
            if self._file is None:
                # Unbuffered: what a full disk refused must not be tried again when something is read.
                self._file = tempfile.TemporaryFile(prefix="napari-sam2-", buffering=0)  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            self._file.seek(offset)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._disk_failed = True
            warnings.warn(
                f"Tracking memories cannot be moved to the temporary folder {tempfile.gettempdir()} "
                f"({error}). They stay in memory, which will grow; free some space or set TMPDIR to another "
                "disk.",
                RuntimeWarning,
                stacklevel=2,
            )
            return False
        self._end = max(self._end, offset + len(data))
        self._places[key] = _Place(offset, len(data), tuple((tuple(t.shape), t.dtype) for t in tensors))
        return True

    def _read(self, place: _Place) -> tuple[Tensor, ...]:
        assert self._file is not None
        self._file.seek(place.offset)
        buffer = bytearray(place.nbytes)
        rest = memoryview(buffer)
        while rest:
            count = self._file.readinto(rest)
            if not count:
                raise StorageError(
                    f"The temporary file in {tempfile.gettempdir()} that holds tracking memories was cut "
                    "short: start the tracking again."
                )
            rest = rest[count:]
        tensors, start = [], 0
        for shape, dtype in place.parts:
            count = torch.Size(shape).numel()
            tensors.append(torch.frombuffer(buffer, dtype=dtype, count=count, offset=start).reshape(shape))
            start += count * dtype.itemsize
        return tuple(tensors)


def _nbytes(tensors: tuple[Tensor, ...]) -> int:
    return sum(t.nbytes for t in tensors)
