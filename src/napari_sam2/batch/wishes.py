"""What a plan file or a command line may say of all sequences, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from napari_sam2.batch.codec import whole
from napari_sam2.batch.plan import SHARED, Cut, PlanError, Reading, Settings, Way
from napari_sam2.batch.template import Template
from napari_sam2.errors import PromptError, Sam2Error
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.export_kind import ExportKind

Wishes = Mapping[str, Any]

KEYS = {
    "model": "a name from 'models list', or a file",
    "device": "cpu, cuda, ...",
    "way": "forward, backward or both",
    "slices": "true where frames are the slices of a stack",
    "policy": "switches of the tracker by name",
    "axes": "a letter for each axis of the images",
    "level": "of a pyramid, 0 is the finest",
    "along": "T or Z: what frames follow",
    "at": "where to stay along other axes",
    "channel": "one channel, by number or name",
    "kind": "format of the outputs",
    "chunk": "frames of a chunk",
    "shared": "frames that chunks share",
    "out": "the folder of the results",
    "output": "pattern of the outputs' names",
    "images": "pattern of the images' names, or a list of names",
    "prompts": "table of points, boxes and label images",
    "session": "session file whose prompts are given to each image",
    "labels": "pattern of the names of label images",
    "frame": "frame that the label images belong to",
    "sequences": "list of sequences",
}


def settings_of(wishes: Wishes, root: Path, template: Template | None) -> Settings:
    """Return how sequences are worked on.

    Parameters
    ----------
    wishes
        By the names of `KEYS`.
    root
        The folder that files are named from.
    template
        What a session adds, where nothing else is wished.

    Raises
    ------
    PlanError
        Everything that makes no sense.
    """
    problems = [
        f"there is no setting {name!r}: choose from {', '.join(KEYS)}" for name in wishes if name not in KEYS
    ]

    def read(name: str, make: Callable[[Any], Any], usual: Any = None) -> Any:
        if wishes.get(name) is None:
            return usual
        try:
            return make(wishes[name])
        except (Sam2Error, TypeError, ValueError, AttributeError) as error:
            problems.append(f"{name} is {KEYS[name]}, got {wishes[name]!r} ({error})")
            return usual

    base = template or Template(())
    model = read("model", str, base.model or "nano")
    if (root / model).is_file():
        model = str((root / model).absolute())
    usual = TrackingPolicy.for_stacks() if wishes.get("slices") else base.policy or TrackingPolicy()
    settings = Settings(
        model=model,
        device=read("device", str),
        way=read("way", Way, base.way or Way.FORWARD),
        policy=read("policy", lambda switches: _policy(usual, switches), usual),
        reading=Reading(
            axes=read("axes", lambda text: str(text).upper()),
            level=read("level", lambda level: whole(level, "level", 0), 0),
            along=read("along", lambda text: str(text).upper()),
            at=read("at", lambda at: tuple((str(k).upper(), int(v)) for k, v in at.items()), ()),
            channel=wishes.get("channel"),
        ),
        kind=read("kind", ExportKind.named),
    )
    chunk, shared = read("chunk", lambda n: whole(n, "chunk", 2)), wishes.get("shared", SHARED)
    if chunk is not None:
        try:
            settings = replace(settings, cut=Cut(chunk, whole(shared, "shared", 1)))
        except Sam2Error as error:
            problems.append(str(error))
    if problems:
        raise PlanError(problems)
    return settings


def _policy(usual: TrackingPolicy, switches: Mapping[str, Any]) -> TrackingPolicy:
    known = {field.name for field in fields(TrackingPolicy)} - {"mask"}
    if unknown := set(switches) - known:
        raise PromptError(f"there is no switch {min(unknown)!r}")
    return replace(usual, **switches)
