"""What a session holds as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from napari_sam2.imaging.cleanup import CleanUp
from napari_sam2.imaging.intensity import Channel, IntensityMap
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.policy import MaskPolicy, TrackingPolicy
from napari_sam2.prompts import Box, Click, Direction, MaskPrompt, PromptSet
from napari_sam2.session import commands
from napari_sam2.session.commands import Command
from napari_sam2.session.document import Kind, Place, Value, runs_of
from napari_sam2.session.lineage import Division
from napari_sam2.session.objects import CodedMask, FrameMask, SessionObject

Json = dict[str, Any]

_COMMANDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        commands.AddObject,
        commands.RenameObject,
        commands.ClassifyObject,
        commands.HideObject,
        commands.CommitObject,
        commands.DeleteObject,
        commands.MergeObjects,
        commands.Prompt,
        commands.ClearPrompt,
        commands.Propagate,
        commands.Divide,
        commands.Clean,
        commands.Split,
        commands.Relabel,
    )
}


def runs_to_json(runs: RunLengths) -> Json:
    """Return size and run lengths, row by row, background first."""
    return {"size": list(runs.shape), "counts": runs.counts.tolist()}


def runs_from_json(code: Json) -> RunLengths:
    """Return the mask of a code; `ValueError` where the runs do not fill it."""
    height, width = (int(side) for side in code["size"])
    counts = np.asarray(code["counts"], np.int64)
    if counts.ndim != 1 or (counts < 0).any() or int(counts.sum()) != height * width:
        raise ValueError(f"a mask's runs do not fill {height} x {width} pixels")
    return RunLengths(counts.astype(np.uint32), (height, width))


def command_to_json(command: Command) -> Json:
    """Return a command's name and parts."""
    parts = {f.name: _part_to_json(getattr(command, f.name)) for f in fields(command)}
    return {"verb": type(command).__name__, **parts}


def command_from_json(code: Json) -> Command:
    """Return the command of a code."""
    parts = dict(code)
    kind = _COMMANDS[parts.pop("verb")]
    for name, value in parts.items():
        if name == "clicks":
            parts[name] = tuple(Click(*click) for click in value)
        elif name in ("object_ids", "others", "daughters", "numbers", "frames"):
            parts[name] = None if value is None else tuple(value)
        elif name == "stroke":
            parts[name] = tuple((float(y), float(x)) for y, x in value)
        elif name == "tool":
            parts[name] = CleanUp(value)
        elif name == "box" and value is not None:
            parts[name] = Box(*value)
        elif name == "mask" and value is not None:
            parts[name] = runs_from_json(value)
        elif name == "masks":
            parts[name] = tuple(map(runs_from_json, value))
        elif name == "direction":
            parts[name] = Direction(value)
    command: Command = kind(**parts)
    return command


def value_to_json(value: Value | None) -> Json | None:
    """Return the code of what stands at a place."""
    if isinstance(value, FrameMask):
        parts = {"iou": value.iou, "visible": value.visible, "painted": value.painted}
        return {"mask": runs_to_json(value.runs), **parts}
    if isinstance(value, PromptSet):
        runs = runs_of(value)
        return {
            "clicks": [_part_to_json(click) for click in value.clicks],
            "box": _part_to_json(value.box),
            "mask": None if runs is None else runs_to_json(runs),
        }
    return None if value is None else asdict(value)


def value_from_json(kind: Kind, code: Json | None) -> Value | None:
    """Return what stands at a place of a kind."""
    if code is None:
        return None
    if kind is Kind.OBJECT:
        return SessionObject(**code)
    if kind is Kind.DIVISION:
        return Division(**code)
    if kind is Kind.MASK:
        return _mask(code)
    box, mask = code["box"], code["mask"]
    return PromptSet(
        tuple(Click(*click) for click in code["clicks"]),
        None if box is None else Box(*box),
        None if mask is None else MaskPrompt(CodedMask(runs_from_json(mask))),
    )


def place_to_json(place: Place) -> list[Any]:
    """Return table, object and frame."""
    return [place.kind.value, place.object_id, place.frame]


def place_from_json(code: list[Any]) -> Place:
    """Return the place of a code."""
    kind, object_id, frame = code
    return Place(Kind(kind), int(object_id), int(frame))


def intensity_to_json(intensity: IntensityMap | None) -> list[Json] | None:
    """Return the channels of a map."""
    return None if intensity is None else [asdict(channel) for channel in intensity.channels]


def intensity_from_json(code: list[Json] | None) -> IntensityMap | None:
    """Return the map of some channels."""
    if code is None:
        return None
    return IntensityMap(tuple(Channel(**{**channel, "color": tuple(channel["color"])}) for channel in code))


def policy_to_json(policy: TrackingPolicy) -> Json:
    """Return every switch by its name."""
    return asdict(policy)


def policy_from_json(code: Mapping[str, Any]) -> TrackingPolicy:
    """Return the policy of some switches; those that are left out have their defaults."""
    return TrackingPolicy(**{**code, "mask": MaskPolicy(**code.get("mask", {}))})


def _mask(code: Json) -> FrameMask:
    return FrameMask(
        runs_from_json(code["mask"]), float(code["iou"]), float(code["visible"]), bool(code["painted"])
    )


def _part_to_json(part: Any) -> Any:
    if isinstance(part, RunLengths):
        return runs_to_json(part)
    if isinstance(part, Click):
        return [part.y, part.x, part.positive]
    if isinstance(part, Box):
        return [float(part.y0), float(part.x0), float(part.y1), float(part.x1)]
    if isinstance(part, Direction | CleanUp):
        return part.value
    return [_part_to_json(one) for one in part] if isinstance(part, tuple) else part
