"""A session and its files: the image it works on, saving, loading, autosave, export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import torch

from napari_sam2.errors import StorageError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embedding_store import EmbeddingStore
from napari_sam2.io.export import export_results
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.io.results import Results
from napari_sam2.model.sam2 import SAM2
from napari_sam2.session.autosave import Autosave, catch_up
from napari_sam2.session.document import Document
from napari_sam2.session.effort import Effort, EffortLog, write_csv
from napari_sam2.session.events import SessionEvents
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.history import UNDO_BYTES, History
from napari_sam2.session.image import ImageReference
from napari_sam2.session.ledger import Ledger
from napari_sam2.session.results import results_of
from napari_sam2.session.saved_session import SavedSession
from napari_sam2.session.setting import Setting
from napari_sam2.session.step_note import StepNote
from napari_sam2.session.view import SessionView


class KeptSession(SessionView):
    """What of a session can be read and what can be written to disk; `Session` adds what changes it."""

    _setting: Setting
    _autosave: Autosave | None
    _saved_as: Path | None
    _effort: EffortLog

    @property
    def image(self) -> ImageReference:
        """Which image this is."""
        return self._setting.image

    @property
    def intensity(self) -> IntensityMap:
        """How pixel values become what the network sees."""
        return self._setting.intensity

    @property
    def guard(self) -> LeakGuard:
        """Where following an object stops."""
        return self._setting.guard

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Distance of frames, rows and columns."""
        return self._setting.spacing

    @property
    def axes(self) -> str | None:
        """A letter for each axis of the image, if they were given."""
        return self._setting.axes

    @property
    def at(self) -> Mapping[str, int]:
        """Where the session stays along axes other than that of the frames."""
        return MappingProxyType(self._setting.at)

    @property
    def frame_axis(self) -> str:
        """T or Z: what frames follow each other along."""
        return self._setting.frame_axis

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the session file; one that this session was saved to or loaded from is always replaced.

        Raises
        ------
        StorageError
            The file is in the way, or cannot be written.
        """
        path = Path(path)
        if path.exists() and not overwrite and path.absolute() != self._saved_as:
            raise StorageError(f"{path} exists already: choose another name, or pass overwrite=True.")
        self._ledger.seal()
        if self._autosave is not None and path.absolute() == self._autosave.path.absolute():
            self.autosave(path)  # file and journal belong together
        else:
            self._saved().write(path)
        self._saved_as = path.absolute()
        return path

    @classmethod
    def load(
        cls,
        path: str | Path,
        frames: Any = None,
        model: SAM2 | str | Path | None = None,
        *,
        device: str | torch.device | None = None,
        undo_bytes: int = UNDO_BYTES,
        cache: str | Path | EmbeddingStore | None = None,
    ) -> Self:
        """Return the session of a file, or of an autosave with all that its journal adds.

        Masks are there at once. The network is loaded, and what it remembered is worked out again, when it is
        next asked for something. Undo begins anew.

        Parameters
        ----------
        path
            The session file.
        frames
            The image, if it was an array in memory or has moved.
        model
            The network, if it was given as an object or its file has moved.
        device, undo_bytes, cache
            As for `Session`.

        Raises
        ------
        StorageError
            The file is missing or damaged, or the image is.
        ImageError
            The image is another one than the session was made with.
        CheckpointError
            The weights are others (with the first prompt, where the model is given by name).
        """
        path = Path(path)
        saved = SavedSession.read(path)
        catch_up(saved, path)
        session = cls.__new__(cls)
        setting = Setting.of(saved, frames, model, device)
        setting.keep_embeddings(cache)
        session._begin(setting, saved.document, undo_bytes, EffortLog(saved.effort))
        session._saved_as = path.absolute()
        return session

    def autosave(self, path: str | Path) -> None:
        """Keep a session file up to date from now on, through every change and every finished frame.

        `load` opens it, also after the process was killed. Where it cannot be written any more,
        ``events.failed`` says so, and work goes on without.

        Raises
        ------
        StorageError
            It cannot be written now.
        """
        self._stop_autosave()
        self._autosave = Autosave(Path(path), self._saved)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop autosaving, whose file stays, and give the image's file back, if the session opened it."""
        self._stop_autosave()
        self._setting.close()

    def _stop_autosave(self) -> None:
        if self._autosave is not None:
            self._autosave.close()
            self._autosave = None

    def results(self) -> Results:
        """Return all that can be exported, as it is now: hidden objects are left out."""
        path = self.image.path
        image = {"image": None if path is None else path.name, "image_sha256": self.image.sha256}
        return results_of(
            self._document,
            self.frames,
            lambda: self.intensity,
            self.frame_axis,
            self.spacing,
            {**self._setting.provenance(), **image},
        )

    def export(
        self,
        path: str | Path,
        kind: ExportKind | str | None = None,
        overwrite: bool = False,
        on_frame: Callable[[int], None] | None = None,
    ) -> Path:
        """Write what was found in a format that other tools read.

        Parameters
        ----------
        path, kind, overwrite, on_frame
            As for `export_results`: labels as .tif, .npy or .zarr, and other kinds by their name. A kind may
            be given as text, as in ``kind="ctc"``.

        Raises
        ------
        StorageError
            The name does not say or does not fit the format, something is in the way, it cannot be written,
            or the format cannot hold the results.
        """
        return export_results(self.results(), path, ExportKind.named(kind), overwrite, on_frame)

    @property
    def effort(self) -> tuple[Effort, ...]:
        """What the user did for each object, in the order of their ids; empty where it is not counted."""
        table = self._effort.table or {}
        return tuple(table[number] for number in sorted(table))

    def export_effort(self, path: str | Path, overwrite: bool = False) -> None:
        """Write what the user did for each object as CSV.

        Raises
        ------
        StorageError
            The file is in the way, or cannot be written.
        """
        write_csv(Path(path), self.effort, self.objects, overwrite)

    def script(self) -> str:
        """Return Python that does the same as this session so far."""
        return self._setting.script(self.steps)

    def fresh(self) -> Self:
        """Return a session on the same image with the same network, in which nothing was done.

        The image's file stays with this one.
        """
        session = type(self).__new__(type(self))
        log = EffortLog(None if self._effort.table is None else {})
        session._begin(self._setting, Document(), self._ledger.history.budget, log)
        return session

    def _note(self, note: StepNote) -> None:
        if self._autosave is not None:
            try:
                self._autosave.note(note, self._effort.news())
            except StorageError as error:
                self._stop_autosave()
                self.events.failed.emit(error)

    def _saved(self) -> SavedSession:
        saved = self._setting.saved(self._document)
        saved.effort = self._effort.table
        return saved

    def _begin(self, setting: Setting, document: Document, undo_bytes: int, effort: EffortLog) -> None:
        self._setting = setting
        self._effort = effort
        self._autosave = None
        self._saved_as = None
        cold = bool(document.steps)
        super().__init__(Ledger(document, setting.engine(), History(undo_bytes), SessionEvents(), cold))
        self._ledger.on_note = self._note
