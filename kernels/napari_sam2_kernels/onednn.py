"""Matrix products by oneDNN, with weights laid out for the processor beforehand.

Where torch hands float32 products to MKL they run at half this rate on processors of another maker than
MKL's, and neither library is told that a weight will be used again. The operators are private to torch, so
nothing here is assumed: `obstacle` tries them out first, and whoever calls has another way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import NewType

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_log = logging.getLogger("napari_sam2_kernels")

Packed = NewType("Packed", Tensor)
"""A weight (out, in) in oneDNN's own layout; only `product` can read it."""

_SIDE, _REPEATS, _GAIN = 256, 5, 1.3
_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


@lru_cache(maxsize=4)
def obstacle(dtype: torch.dtype) -> str | None:
    """Return why products in a number format cannot be had here, or are of no use; None if all is well.

    The first call runs the operators on small matrices (a few milliseconds): results have to be right, and
    bfloat16 has to be faster than float32, which it is not where the processor has to imitate it.
    """
    reason = _find_obstacle(dtype)
    if reason is not None:
        _log.info("Packed %s products are left out: %s", str(dtype).removeprefix("torch."), reason)
    return reason


def pack(weight: Float[Tensor, "n c"], rows: int) -> Packed:
    """Lay out a weight (out, in) for products with about so many rows."""
    # An empty or strided weight would be refused.
    return Packed(torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), rows))


def product(
    x: Float[Tensor, "*b c"], weight: Packed, bias: Float[Tensor, n] | None = None, gelu: bool = False
) -> Float[Tensor, "*b n"]:
    """Return x weight^T + bias in the number format of both, through the exact GELU if that is wanted."""
    if gelu:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], "none")
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def _find_obstacle(dtype: torch.dtype) -> str | None:
    if dtype not in _TOLERANCE:
        return "only float32 and bfloat16 are supported."
    try:
        if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
            return "this build of torch comes without oneDNN, or it is switched off."
        off = _error(dtype)
        if not off <= _TOLERANCE[dtype]:
            return f"the operators' results are off by {off:.1e} of their size."
        if dtype is torch.bfloat16 and (gain := _gain()) < _GAIN:
            return f"this processor computes it {gain:.1f} times as fast as float32."
    except (AttributeError, RuntimeError, TypeError, NotImplementedError) as error:
        return f"torch {torch.__version__} has no such operators ({str(error).splitlines()[0][:100]})."
    return None


@torch.no_grad()
def _error(dtype: torch.dtype) -> float:
    """Largest error of a few products, odd ones among them, as a share of the largest value."""
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for rows, width, out in ((1, 3, 1), (7, 16, 5), (65, 48, 33), (128, 64, 96)):
        x, weight, bias = (
            torch.randn(shape, generator=generator).to(dtype)
            for shape in ((rows, width), (out, width), (out,))
        )
        truth = F.linear(x.double(), weight.double(), bias.double())
        packed = pack(weight, rows)
        for found, wanted in (
            (product(x, packed, bias), truth),
            (product(x, packed, bias, gelu=True), F.gelu(truth)),
            (product(x, packed), truth - bias.double()),
        ):
            if found.dtype != dtype or found.shape != wanted.shape:
                return float("inf")
            worst = max(worst, float((found.double() - wanted).abs().max() / wanted.abs().max()))
    return worst


@torch.no_grad()
def _gain() -> float:
    """How many times as fast as float32 bfloat16 is."""
    x = torch.ones(_SIDE, _SIDE)
    own, half = pack(x, _SIDE), pack(x.bfloat16(), _SIDE)
    rows = x.bfloat16()
    return _best(lambda: product(x, own)) / _best(lambda: product(rows, half))


def _best(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return max(min(times), 1e-9)
