"""The network of a session: loaded when it is first needed, and known by its weights."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_sam2.errors import CheckpointError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embedding_store import EmbeddingStore, StoredFrames
from napari_sam2.io import checkpoints
from napari_sam2.model.digest import digest as hash_of
from napari_sam2.model.families import tracking
from napari_sam2.model.sam2 import SAM2


class Network:
    """A network, or the promise of one.

    Parameters
    ----------
    model
        A network, or what `load_model` takes.
    device
        Where to load it to.
    sha256
        What the weights have to be; None for any.
    """

    def __init__(
        self, model: SAM2 | str | Path, device: str | torch.device | None = None, sha256: str | None = None
    ) -> None:
        self.name = None if isinstance(model, torch.nn.Module) else str(model)
        self.device = device
        self._model = tracking(model) if isinstance(model, torch.nn.Module) else None
        self._expected = sha256
        self._sha256: str | None = None
        if self._model is not None:
            self._check(self._model)

    def get(self) -> SAM2:
        """Return the network.

        Raises
        ------
        CheckpointError
            If it cannot be loaded, cannot follow objects, or its weights are not those that are expected.
        """
        if self._model is None:
            model = tracking(checkpoints.load_model(self.name or "nano", self.device))
            self._check(model)
            self._model = model
        return self._model

    @property
    def sha256(self) -> str | None:
        """The hash of the weights; None as long as they are neither loaded nor recorded."""
        if self._sha256 is None and self._model is not None:
            self._sha256 = hash_of(self._model)
        return self._sha256 or self._expected

    def stored_frames(self, store: EmbeddingStore, intensity: IntensityMap) -> StoredFrames:
        """Return what a store keeps of an image as this network sees it; the network is loaded for it."""
        import napari_sam2

        model = self.get()
        # Another device or version of the software may differ in the last digits, and the masks with them.
        software = f"{napari_sam2.__version__} {torch.__version__} {model.device.type} {model.dtype}"
        return StoredFrames(store, f"{self.sha256} {model.config!r} {intensity!r} {software}")

    def _check(self, model: SAM2) -> None:
        if self._expected is not None:
            self._sha256 = hash_of(model)
            if self._sha256 != self._expected:
                raise CheckpointError(
                    f"The session was made with other weights than {self.name or 'those of this network'} "
                    f"has now (sha256 {self._expected[:12]}, found {self._sha256[:12]}): give the model "
                    "that it was made with."
                )
