"""What the tracker remembers, kept on disk as long as a run that goes on would look at it."""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from napari_sam2.inference.records import RecordKey, RecordStore
from napari_sam2.io.output import failure
from napari_sam2.prompts import FrameIndex, ObjectId

Place = tuple[ObjectId, FrameIndex]

PARTS = ("logits", "iou", "pointer", "object_score", "features")
PROMPTED = "prompted"


class Memories:
    """Files of records: one for all prompts, and one for each of the newest visits.

    A file is whole under its name or not there, and its checksum, which stands in the journal, says whether
    it is the one that was written.

    Parameters
    ----------
    folder
        Made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unsynced: list[int | None] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise failure(folder, error) from error
        self._kept = {int(path.stem) for path in folder.glob("*.safetensors") if path.stem.isdigit()}

    def write(self, visit: int | None, records: Mapping[Place, RecordKey], store: RecordStore) -> int:
        """Write the records of a visit, None for those of the prompts, and return their checksum.

        Raises
        ------
        StorageError
            The disk is full, or gone.
        """
        tensors: dict[str, Tensor] = {}
        for number, key in enumerate(records.values()):
            bundles = (*store.get(key.mask), *store.get(key.pointer))
            features = () if key.features is None else store.get(key.features)
            for part, tensor in zip(PARTS, (*bundles, *features), strict=False):
                tensors[f"{number}.{part}"] = tensor.cpu().contiguous()
        data = safetensors.torch.save(tensors, {"places": json.dumps([list(place) for place in records])})
        path = self._path(visit)
        partial = path.with_suffix(".part")
        try:
            partial.write_bytes(data)
            os.replace(partial, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise failure(path, error) from error
        self._unsynced.append(visit)
        if visit is not None:
            self._kept.add(visit)
        return zlib.crc32(data)

    def read(
        self, visit: int | None, checksum: int, store: RecordStore, device: torch.device
    ) -> dict[Place, RecordKey] | None:
        """Put the records of a visit, None for those of the prompts, into a store.

        Returns
        -------
        dict or None
            In the order in which they were written; None where the file is gone or another one.
        """
        try:
            data = self._path(visit).read_bytes()
            if zlib.crc32(data) != checksum:
                return None
            tensors = safetensors.torch.load(data)
            with safe_open(self._path(visit), "pt") as file:
                places = json.loads(file.metadata()["places"])
        except (OSError, SafetensorError):
            return None
        records = {}
        for number, (object_id, frame) in enumerate(places):
            parts = [tensors.get(f"{number}.{part}") for part in PARTS]
            logits, iou, pointer, score = (part.to(device) for part in parts[:4] if part is not None)
            features = None if parts[4] is None else store.put(parts[4].to(device))
            records[object_id, frame] = RecordKey(store.put(logits, iou), store.put(pointer, score), features)
        return records

    def prune(self, needed: Collection[int]) -> None:
        """Delete the files of all visits but those that are needed."""
        for visit in self._kept.difference(needed):
            with contextlib.suppress(OSError):
                self._path(visit).unlink(missing_ok=True)
        self._kept.intersection_update(needed)

    def sync(self, needed: Collection[int]) -> None:
        """Bring what was written to the disk itself, as far as it is needed: the prompts, and some visits."""
        for visit in self._unsynced:
            if visit is None or visit in needed:
                with contextlib.suppress(FileNotFoundError), self._path(visit).open("rb+") as file:
                    os.fsync(file.fileno())
        self._unsynced.clear()

    def clear(self) -> None:
        """Delete everything, the folder included."""
        self.prune(())
        with contextlib.suppress(OSError):
            self._path(None).unlink(missing_ok=True)
            self.folder.rmdir()

    def _path(self, visit: int | None) -> Path:
        return self.folder / (f"{PROMPTED if visit is None else f'{visit:07d}'}.safetensors")
