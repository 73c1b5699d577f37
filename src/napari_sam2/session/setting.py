"""What a session works on and with: the image, how it is looked at, and the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embedding_store import EmbeddingStore
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.frames import Frames, open_frames
from napari_sam2.model.sam2 import SAM2
from napari_sam2.session.commands import Command
from napari_sam2.session.document import Document
from napari_sam2.session.engine import Engine
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.image import ImageReference, arrange
from napari_sam2.session.network import Network
from napari_sam2.session.saved_session import SavedSession
from napari_sam2.session.script import script


class Setting:
    """All of a session that stays the same.

    Parameters
    ----------
    frames, axes
        The image, and a letter for each of its axes.
    network
        Loaded when it is needed.
    policy
        Switches of the tracker.
    intensity
        How pixel values become what the network sees; found when it is needed, if left out.
    spacing
        Distance of frames, rows and columns.
    path
        Where the image comes from.
    guard
        Where to stop following an object; by default `LeakGuard.along` the axis of the frames.
    at
        Where to stay along the other axes.
    """

    def __init__(
        self,
        frames: Any,
        axes: str | None,
        network: Network,
        policy: TrackingPolicy | None = None,
        intensity: IntensityMap | None = None,
        spacing: Sequence[float] | None = None,
        path: str | Path | None = None,
        guard: LeakGuard | None = None,
        at: Mapping[str, int] | None = None,
    ) -> None:
        self.frames, self.frame_axis = arrange(frames, axes, at)
        self.axes = axes
        self.at = dict(at or {})
        self.network = network
        self.policy = policy or TrackingPolicy()
        self.guard = guard or LeakGuard.along(self.frame_axis)
        self.spacing = None if spacing is None else tuple(float(one) for one in spacing)
        self.image = ImageReference.of(self.frames, None if path is None else Path(path))
        self._intensity = intensity
        self._opened: Frames | None = None
        self.store: EmbeddingStore | None = None

    @property
    def intensity(self) -> IntensityMap:
        """How pixel values become what the network sees."""
        if self._intensity is None:
            self._intensity = IntensityMap.for_frames(self.frames)
        return self._intensity

    def keep_embeddings(self, cache: str | Path | EmbeddingStore | None) -> None:
        """Keep encoded frames in a folder as well, for the engines that begin from now on."""
        self.store = EmbeddingStore(cache) if isinstance(cache, str | Path) else cache

    def take_over(self, frames: Frames) -> None:
        """Close the image's file when the setting is closed."""
        self._opened = frames

    def close(self) -> None:
        """Give the image's file back, if it was opened for this; closing twice is fine."""
        if self._opened is not None:
            self._opened.close()

    def engine(self) -> Engine:
        """Return a tracker that remembers nothing yet."""
        return Engine(self.frames, self.network, self.policy, lambda: self.intensity, self.guard, self.store)

    def saved(self, document: Document) -> SavedSession:
        """Return what a session file says."""
        return SavedSession(
            self.image,
            self.axes,
            self.spacing,
            self._intensity,
            self.network.name,
            self.network.sha256,
            self.policy,
            self.guard,
            document,
            self.provenance(),
            at=self.at,
        )

    @classmethod
    def of(
        cls,
        saved: SavedSession,
        frames: Any = None,
        model: SAM2 | str | Path | None = None,
        device: str | torch.device | None = None,
    ) -> Setting:
        """Return what a session file speaks of; `frames` and `model` stand in for what it does not hold.

        Raises
        ------
        StorageError
            The image or the network was an object in memory, or the image's file is gone.
        ImageError
            The image is another one.
        CheckpointError
            The given network is another one.
        """
        if model is None:
            if saved.model is None:
                raise StorageError("The network of this session was given as an object: pass it as model=.")
            model = saved.model
        opened = None
        if frames is None:
            if saved.image.path is None:
                raise StorageError("The image of this session was an array in memory: pass it as frames=.")
            if not saved.image.path.exists():
                raise StorageError(f"The image {saved.image.path} is not there: pass it as frames=.")
            frames = opened = open_frames(saved.image.path)
        network = Network(model, device, saved.sha256)
        setting = cls(
            frames,
            saved.axes,
            network,
            saved.policy,
            saved.intensity,
            saved.spacing,
            saved.image.path,
            saved.guard,
            saved.at,
        )
        if opened is not None:
            setting.take_over(opened)
        if setting.image != saved.image:
            setting.close()
            raise ImageError(
                f"The session was made with another image: {saved.image.shape} is expected, with the pixels "
                f"that it had then; this one is {setting.image.shape}."
            )
        return setting

    def script(self, steps: Sequence[Command]) -> str:
        """Return Python that does the steps."""
        return script(
            self.image.path,
            self.axes,
            self.spacing,
            self._intensity,
            self.network.name,
            self.policy,
            self.guard,
            steps,
            self.at,
        )

    def provenance(self) -> dict[str, Any]:
        """Return how labels come about: software, network and policy."""
        import napari_sam2

        return {
            "software": f"napari-sam2 {napari_sam2.__version__}",
            "torch": str(torch.__version__),
            "model": self.network.name,
            "weights": self.network.sha256,
            "policy": repr(self.policy),
            "guard": repr(self.guard),
        }
