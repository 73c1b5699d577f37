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


# Shape, type and first byte of every tensor of a bundle, and the bytes of all: few differ in a whole video.
_Layout = tuple[tuple[tuple[tuple[int, ...], torch.dtype, int], ...], int]


class RecordStore:
    """Keeps bundles of tensors; what does not fit into the budget goes to a temporary file, bit for bit.

    A bundle lies in one buffer. Buffers of those that left are used again: thousands of frames that each
    allocate and free a little between large passing arrays would leave the heap full of holes.

    Parameters
    ----------
    budget
        Bytes that may stay in memory.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.resident_bytes = 0
        self._resident: OrderedDict[int, Tensor] = OrderedDict()
        self._layouts: dict[int, _Layout] = {}
        self._known: dict[_Layout, _Layout] = {}
        self._offsets: dict[int, int] = {}
        self._holes: dict[int, list[int]] = {}
        self._spare: dict[tuple[int, torch.device], list[Tensor]] = {}
        self._spare_bytes = 0
        self._file: FileIO | None = None
        self._end = 0
        self._next = 0
        self._disk_failed = False

    @property
    def spilled_bytes(self) -> int:
        """Size of the temporary file."""
        return self._end

    def put(self, *tensors: Tensor) -> int:
        """Keep copies of `tensors`, all on one device, and return the key that gives them back."""
        key = self._next
        self._next += 1
        layout = _layout(tensors)
        self._layouts[key] = layout = self._known.setdefault(layout, layout)
        buffer = self._buffer(layout[1], tensors[0].device)
        for view, tensor in zip(_views(buffer, layout), tensors, strict=True):
            view.copy_(tensor)
        self._admit(key, buffer)
        return key

    def get(self, key: int) -> tuple[Tensor, ...]:
        """Return copies of what was kept under `key`."""
        buffer = self._resident.get(key)
        if buffer is None:
            buffer = self._read(key)
            found = tuple(view.clone() for view in _views(buffer, self._layouts[key]))
            self._admit(key, buffer)
            return found
        self._resident.move_to_end(key)
        return tuple(view.clone() for view in _views(buffer, self._layouts[key]))

    def drop(self, key: int) -> None:
        """Forget what was kept under `key`."""
        if key in self._resident:
            self._release(key)
        layout = self._layouts.pop(key, None)
        offset = self._offsets.pop(key, None)
        if layout is not None and offset is not None:
            self._holes.setdefault(layout[1], []).append(offset)

    def close(self) -> None:
        """Forget everything and give the file back."""
        for table in (self._resident, self._layouts, self._offsets, self._holes, self._spare):
            table.clear()
        self.resident_bytes = self._spare_bytes = self._end = 0
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

    def _buffer(self, nbytes: int, device: torch.device) -> Tensor:
        spare = self._spare.get((nbytes, device))
        if not spare:
            return torch.empty(nbytes, dtype=torch.uint8, device=device)
        self._spare_bytes -= nbytes
        return spare.pop()

    def _admit(self, key: int, buffer: Tensor) -> None:
        self._resident[key] = buffer
        self.resident_bytes += buffer.nbytes
        while self.resident_bytes > self.budget and self._resident:
            oldest = next(iter(self._resident))
            if oldest not in self._offsets and not self._spill(oldest):
                return
            self._release(oldest)

    def _release(self, key: int) -> None:
        """Take a bundle out of memory; its buffer is kept for the next one.

        One of each size may lie beyond the budget: under a full one, the newcomer takes it before the oldest
        bundle leaves.
        """
        buffer = self._resident.pop(key)
        self.resident_bytes -= buffer.nbytes
        spare = self._spare.setdefault((buffer.nbytes, buffer.device), [])
        if not spare or self.resident_bytes + self._spare_bytes + buffer.nbytes <= self.budget:
            spare.append(buffer)
            self._spare_bytes += buffer.nbytes

    def _spill(self, key: int) -> bool:
        if self._disk_failed:
            return False
        data = self._resident[key].cpu().numpy().data
        holes = self._holes.get(len(data))
        offset = holes.pop() if holes else self._end
        try:
            if self._file is None:
                # Unbuffered: what a full disk refused must not be tried again when something is read.
                self._file = tempfile.TemporaryFile(prefix="napari-sam2-", buffering=0)  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            self._file.seek(offset)
            rest = data
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
        self._offsets[key] = offset
        return True

    def _read(self, key: int) -> Tensor:
        offset = self._offsets[key]
        assert self._file is not None
        self._file.seek(offset)
        buffer = self._buffer(self._layouts[key][1], torch.device("cpu"))
        rest = buffer.numpy().data
        while rest:
            count = self._file.readinto(rest)
            if not count:
                raise StorageError(
                    f"The temporary file in {tempfile.gettempdir()} that holds tracking memories was cut "
                    "short: start the tracking again."
                )
            rest = rest[count:]
        return buffer


def _layout(tensors: tuple[Tensor, ...]) -> _Layout:
    parts, end = [], 0
    for tensor in tensors:
        start = -(-end // 16) * 16  # a view of another type must begin at a multiple of its size
        parts.append((tuple(tensor.shape), tensor.dtype, start))
        end = start + tensor.nbytes
    return tuple(parts), end


def _views(buffer: Tensor, layout: _Layout) -> tuple[Tensor, ...]:
    """The tensors that lie in a buffer, sharing its memory."""
    return tuple(
        buffer[start : start + torch.Size(shape).numel() * dtype.itemsize].view(dtype).view(shape)
        for shape, dtype, start in layout[0]
    )
