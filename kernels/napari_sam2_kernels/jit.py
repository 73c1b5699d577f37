"""Functions as Triton kernels."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import triton


def jit(function: Callable[..., Any]) -> Any:
    """Return `triton.jit` of a function itself, also where a type checker has wrapped something around it."""
    return triton.jit(inspect.unwrap(function))
