"""SAM 2 for microscopy: click an object, follow it through time or depth.

The table of contents. Names are fetched on first use, so that importing the package costs nothing and pulls
in neither torch nor napari.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam2.errors import (
        CheckpointError,
        ImageError,
        MemoryShortage,
        PromptError,
        Sam2Error,
        StorageError,
    )
    from napari_sam2.imaging.intensity import IntensityMap
    from napari_sam2.inference.everything import Everything
    from napari_sam2.inference.focus import FocusPredictor
    from napari_sam2.inference.image_predictor import ImagePredictor
    from napari_sam2.inference.policy import MaskPolicy, TrackingPolicy
    from napari_sam2.inference.seeded import SeededEverything
    from napari_sam2.inference.slice_by_slice import SliceBySlice
    from napari_sam2.inference.track_everything import TrackEverything
    from napari_sam2.inference.tracker import VideoTracker
    from napari_sam2.io.checkpoints import load_model, save_model
    from napari_sam2.io.frames import open_frames
    from napari_sam2.io.images import open_image
    from napari_sam2.plugin.attach import attach
    from napari_sam2.prompts import Box, Click, Direction, MaskPrompt, PromptSet
    from napari_sam2.session.session import Session

    __version__: str

__all__ = [
    "Box",
    "CheckpointError",
    "Click",
    "Direction",
    "Everything",
    "FocusPredictor",
    "ImageError",
    "ImagePredictor",
    "IntensityMap",
    "MaskPolicy",
    "MaskPrompt",
    "MemoryShortage",
    "PromptError",
    "PromptSet",
    "Sam2Error",
    "SeededEverything",
    "Session",
    "SliceBySlice",
    "StorageError",
    "TrackEverything",
    "TrackingPolicy",
    "VideoTracker",
    "__version__",
    "attach",
    "load_model",
    "open_frames",
    "open_image",
    "save_model",
]

_HOMES = {
    "Box": "prompts",
    "CheckpointError": "errors",
    "Click": "prompts",
    "Direction": "prompts",
    "Everything": "inference.everything",
    "FocusPredictor": "inference.focus",
    "ImageError": "errors",
    "ImagePredictor": "inference.image_predictor",
    "IntensityMap": "imaging.intensity",
    "MaskPolicy": "inference.policy",
    "MaskPrompt": "prompts",
    "MemoryShortage": "errors",
    "PromptError": "errors",
    "PromptSet": "prompts",
    "Sam2Error": "errors",
    "SeededEverything": "inference.seeded",
    "Session": "session.session",
    "SliceBySlice": "inference.slice_by_slice",
    "StorageError": "errors",
    "TrackEverything": "inference.track_everything",
    "TrackingPolicy": "inference.policy",
    "VideoTracker": "inference.tracker",
    "attach": "plugin.attach",
    "load_model": "io.checkpoints",
    "open_frames": "io.frames",
    "open_image": "io.images",
    "save_model": "io.checkpoints",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-sam2")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
