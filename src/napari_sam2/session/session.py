"""One sitting of annotation: what a user can do, in plain Python."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from napari_sam2.errors import PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embedding_store import EmbeddingStore
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.frames import open_frames
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Box, Click, Direction, FrameIndex, MaskPrompt, ObjectId
from napari_sam2.session import commands
from napari_sam2.session.commands import Command
from napari_sam2.session.document import Document
from napari_sam2.session.effort import EffortLog
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.history import UNDO_BYTES
from napari_sam2.session.network import Network
from napari_sam2.session.object_table import ObjectTable, runs_of_mask
from napari_sam2.session.route import FrameDone, follow, plan
from napari_sam2.session.setting import Setting


class Session(ObjectTable):
    """Objects in an image, followed through time or depth, with everything that can be taken back.

    Parameters
    ----------
    frames
        The image, (T, H, W) or as `axes` say; read one frame at a time.
    model
        What `load_model` takes, loaded with the first prompt; or a network.
    policy
        Thresholds and switches of the tracker.
    intensity
        How pixel values become what the network sees; by default as `IntensityMap.for_frames` finds it.
    axes
        A letter of T, Z, C, Y, X for each axis of the image; TYX by default, and TYXC for four axes.
    spacing
        Distance of frames, rows and columns, in any unit; it is kept and saved.
    guard
        Where to stop following an object, because its mask jumps; by default `LeakGuard` through time, and
        nowhere through depth.
    device
        Where the network runs.
    undo_bytes
        What undo may keep.
    path
        Where the image comes from; `Session.open` says it.
    at
        Where to stay along axes other than that of the frames: ``{"Z": 3}`` follows slice 3 through time.
    cache
        A folder, or a store with a budget of its own, for encoded frames; None for memory only.
    effort
        Whether to count what the user does; see `effort`.

    Raises
    ------
    ImageError, StorageError
        The axes do not fit the image; or the folder for encoded frames cannot be made.
    """

    def __init__(
        self,
        frames: Any,
        model: SAM2 | str | Path = "nano",
        policy: TrackingPolicy | None = None,
        intensity: IntensityMap | None = None,
        axes: str | None = None,
        spacing: Sequence[float] | None = None,
        guard: LeakGuard | None = None,
        *,
        device: str | torch.device | None = None,
        undo_bytes: int = UNDO_BYTES,
        path: str | Path | None = None,
        at: Mapping[str, int] | None = None,
        cache: str | Path | EmbeddingStore | None = None,
        effort: bool = True,
    ) -> None:
        setting = Setting(frames, axes, Network(model, device), policy, intensity, spacing, path, guard, at)
        setting.keep_embeddings(cache)
        self._begin(setting, Document(), undo_bytes, EffortLog({} if effort else None))

    @classmethod
    def open(cls, path: str | Path, **options: Any) -> Self:
        """Begin with an image on disk.

        Parameters
        ----------
        path
            What `open_frames` opens.
        **options
            As for `Session`.

        Raises
        ------
        StorageError, ImageError
            The image cannot be read.
        """
        frames = open_frames(path)
        try:
            session = cls(frames, path=path, **options)
        except BaseException:
            frames.close()
            raise
        session._setting.take_over(frames)
        return session

    # Prompts and propagation

    def prompt(
        self,
        frame: FrameIndex,
        object_id: ObjectId,
        clicks: Sequence[Click] = (),
        box: Box | None = None,
        mask: np.ndarray[Any, Any] | MaskPrompt | RunLengths | None = None,
        replace: bool = False,
    ) -> np.ndarray[Any, Any]:
        """Say where an object is on a frame; an unknown one is added.

        Parameters
        ----------
        frame, object_id
            Which frame and which object.
        clicks, box, mask
            Clicks and a box; or a mask (H, W) alone, painted or from elsewhere. A mask stays on its frame as
            it is, and propagation goes on from it.
        replace
            Whether these prompts take the place of earlier ones on this frame, or join them.

        Returns
        -------
        numpy.ndarray
            The object's mask on the frame, bool (H, W).

        Raises
        ------
        PromptError
            The prompt is empty or outside the image, the object is committed or does not live on this frame;
            nothing is changed then.
        """
        self._check(frame)
        plain = tuple(Click(float(click.y), float(click.x), bool(click.positive)) for click in clicks)
        if box is not None:
            box = Box(float(box.y0), float(box.x0), float(box.y1), float(box.x1))
        runs = None if mask is None else runs_of_mask(mask)
        self._do(commands.Prompt(int(frame), int(object_id), plain, box, runs, replace))
        return self._document.masks[object_id][frame].runs.decode()

    def clear(self, frame: FrameIndex, object_id: ObjectId) -> None:
        """Take back an object's prompts on a frame, and what they led to there."""
        self._do(commands.ClearPrompt(frame, object_id))

    def adopt(self, labels: np.ndarray[Any, Any], frame: FrameIndex) -> dict[int, ObjectId]:
        """Take over labels that exist already: each becomes a new object with a painted mask.

        Parameters
        ----------
        labels
            Whole numbers (H, W), 0 outside.
        frame
            Which frame they belong to.

        Returns
        -------
        dict
            The object of each label; it has the label's number where that is free.
        """
        labels = np.asarray(labels)
        self._check(frame)
        if labels.shape != self.shape or labels.dtype.kind not in "bui":
            raise PromptError(
                f"Labels of a frame are whole numbers of the shape {self.shape}, got {labels.shape} "
                f"{labels.dtype}."
            )
        found: dict[int, ObjectId] = {}
        for label in np.unique(labels[labels > 0]).tolist():
            number = int(label)
            found[number] = number if number not in self.objects else max(self.objects) + 1
            self.prompt(frame, found[number], mask=labels == label)
        return found

    def propagate(
        self,
        object_ids: Collection[ObjectId] | None = None,
        start: FrameIndex | None = None,
        stop: FrameIndex | None = None,
        direction: Direction | str = Direction.FORWARD,
        from_first: bool | None = None,
    ) -> Iterator[FrameDone]:
        """Follow objects from frame to frame, each from its own prompts on.

        Parameters
        ----------
        object_ids
            Which; by default all that have a prompt and are not committed.
        start, stop
            First and last frame on the way, both included; by default from the first prompt (backward: from
            the latest of the objects' first prompts) to the end of the sequence.
        direction
            ``"forward"`` or ``"backward"``.
        from_first
            Going backward, keep each object to the frames before its first prompt; by default where no
            `start` is given.

        Returns
        -------
        iterator of FrameDone
            One a frame. Closing it stops after the current frame, and so does another propagation, undo or
            redo; what is done stays, and `resume` goes on. Prompts may be given meanwhile.

        Raises
        ------
        PromptError
            There is nothing to follow, or no such frame.
        """
        wanted = plan(self._document, len(self), object_ids, start, stop, direction, from_first)
        self._effort.note(None)
        return follow(self._ledger, wanted)

    def resume(self) -> Iterator[FrameDone]:
        """Go on with the propagation that was stopped.

        Raises
        ------
        PromptError
            If none was.
        """
        if self._document.unfinished is None:
            raise PromptError("There is no propagation to go on with: it went to its end, or none began.")
        self._effort.note(None)
        return follow(self._ledger, self._document.unfinished)

    # Time travel

    def undo(self) -> Command | None:
        """Take back the newest step and return it, None if there is none; a propagation stops."""
        self._effort.note(None)
        return self._ledger.undo()

    def redo(self) -> Command | None:
        """Do again what was undone last and return it, None if there is nothing; a propagation stops."""
        self._effort.note(None)
        return self._ledger.redo()

    def repeat(self, step: Command) -> None:
        """Do a step of another session, of its `steps`; a propagation goes to its end."""
        self._ledger.do(step)
