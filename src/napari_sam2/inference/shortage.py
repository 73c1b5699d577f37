"""Memory that runs out, on whatever device, and what is said when nothing is left to try."""

from __future__ import annotations

import re

import torch

from napari_sam2.errors import MemoryShortage

# What CPU allocators (Linux, Windows), cuBLAS, older back-ends and oneDNN say in a plain RuntimeError.
_WORDS = re.compile(
    r"can't allocate memory|not enough memory|ALLOC_FAILED|out of memory|could not create a primitive$",
    re.IGNORECASE,
)


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there was no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _WORDS.search(str(error)) is not None


def give_back(device: torch.device) -> None:
    """Return what the allocator of a device keeps for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def shortage(device: torch.device) -> MemoryShortage:
    """Return the error for a step that does not fit, even with one object at a time."""
    place = "computer" if device.type == "cpu" else f"device ({device})"
    return MemoryShortage(
        f"The memory of this {place} is not enough, even with one object at a time. Nothing of this step was "
        "kept, and all that was done before is. Close other programs, choose a smaller model or another "
        "device, or lower TrackingPolicy.state_bytes and embedding_bytes; then do it again, or resume."
    )
