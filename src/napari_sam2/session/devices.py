"""Where a network can run on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A place to run.

    Attributes
    ----------
    name
        As torch calls it.
    text
        As people call it.
    """

    name: str
    text: str


def devices() -> tuple[Device, ...]:
    """Return where a network can run, the one that is taken by itself first.

    Asking imports torch, which takes seconds the first time.
    """
    import torch

    found = []
    if torch.cuda.is_available():
        found.append(Device("cuda", torch.cuda.get_device_name()))
    found.append(Device("cpu", "CPU"))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU"))
    return tuple(found)
