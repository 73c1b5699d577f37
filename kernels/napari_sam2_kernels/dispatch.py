"""Which form of an operation computes given tensors, and a line in the log where it is not the fast one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec

import torch
from torch import Tensor

_log = logging.getLogger("napari_sam2_kernels")

SelfTest = Callable[[torch.device], float]
"""Runs the Triton form on a small example; returns its largest error relative to the truth."""

_TOLERANCE = 1e-3


def takes_triton(operation: str, self_test: SelfTest, *tensors: Tensor) -> bool:
    """Whether the Triton form of an operation should compute these tensors.

    It is for CUDA, and for passes without gradients. Before it is first used on a device it has to reproduce
    the truth there.

    Parameters
    ----------
    operation
        Its name in the log.
    self_test
        See `SelfTest`.
    tensors
        All that it would read.
    """
    device = tensors[0].device
    if device.type != "cuda" or torch.compiler.is_compiling():
        return False
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return False
    return obstacle(operation, self_test, device) is None


@lru_cache(maxsize=64)
def obstacle(operation: str, self_test: SelfTest, device: torch.device) -> str | None:
    """Return why an operation's Triton form cannot be had on a device; None if all is well."""
    reason = None
    if find_spec("triton") is None:
        reason = "triton is not installed."
    else:
        try:
            off = self_test(device)
        except Exception as error:  # a compiler may fail in any way; the truth always works
            reason = f"it does not run here ({type(error).__name__}: {str(error).splitlines()[:1]})."
        else:
            if not off <= _TOLERANCE:
                reason = f"its results are off by {off:.1e} here."
    if reason is not None:
        _log.warning("%s falls back to plain torch on %s: %s", operation, device, reason)
    return reason
