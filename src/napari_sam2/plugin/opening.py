"""How a session begins: in the background, since images may be slow to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sam2.errors import StorageError
from napari_sam2.io.registry import embedding_folder
from napari_sam2.plugin import autosaves
from napari_sam2.plugin.choices import Choices
from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.session.commands import Command
from napari_sam2.session.session import Session


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, where it is kept, and what else there is.

    Attributes
    ----------
    session
        On the image of the layer.
    axes
        What its axes are.
    kept
        Where it saves itself; None where that failed.
    earlier
        The file of an earlier session of the same image that a crash left behind.
    trouble
        What went wrong without stopping anything.
    """

    session: Session
    axes: LayerAxes
    kept: Path | None
    earlier: Path | None
    trouble: StorageError | None = None


def begin(
    data: Any, axes: LayerAxes, choices: Choices, path: str | None = None, steps: Sequence[Command] = ()
) -> Opened:
    """Begin a session that saves itself after every change.

    Parameters
    ----------
    data
        Of the layer; several sizes of one image or one.
    axes
        What its axes are.
    choices
        Model, device, mapping.
    path
        The file that the layer came from.
    steps
        Done first: what was done so far with other choices.

    Raises
    ------
    ImageError
        The layer shows nothing that could be segmented.
    Sam2Error
        A step cannot be done with these choices.
    """
    session = Session(
        full_size(data),
        choices.model,
        axes=axes.letters,
        at=held(axes),
        intensity=choices.intensity,
        device=choices.device,
        path=path,
        cache=embedding_folder(),
        effort=choices.effort,
    )
    for step in steps:
        session.repeat(step)
    return _keep(session, axes, choices.autosave)


def take_up(file: Path, data: Any, axes: LayerAxes) -> Opened:
    """Take up a saved session on the image of a layer.

    Raises
    ------
    StorageError
        The file is missing or damaged.
    ImageError
        It is a session of another image.
    """
    array = full_size(data)
    session = Session.load(file, frames=array, cache=embedding_folder())
    if session.axes is not None:
        where = [session.at.get(letter, 0) for letter in session.axes]
        axes = LayerAxes.of(session.axes, array.shape, session.frame_axis, axes.rgb, where)
    return _keep(session, axes)


def full_size(data: Any) -> Any:
    """Return the largest of several sizes of one image."""
    several = isinstance(data, list | tuple) or type(data).__name__ == "MultiScaleData"
    return data[0] if several else data


def held(axes: LayerAxes) -> dict[str, int]:
    """Return where a session stays along other axes that are longer than one."""
    return {letter: i for letter, i in axes.at.items() if axes.shape[axes.letters.index(letter)] > 1}


def _keep(session: Session, axes: LayerAxes, wanted: bool = True) -> Opened:
    """Let a session save itself, and look for what an earlier one left behind."""
    if not wanted:
        return Opened(session, axes, None, None)
    key = autosaves.key_of(session)
    kept = autosaves.new_file(key)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        session.autosave(kept)
        return Opened(session, axes, kept, autosaves.earlier(key, kept))
    except (OSError, StorageError) as error:
        trouble = StorageError(
            f"This session is not kept in case of a crash: {kept.parent} cannot be written ({error}). Save "
            "it yourself now and then, or free some space and choose the image again."
        )
        return Opened(session, axes, None, None, trouble)
