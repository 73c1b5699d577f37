"""Temporal code, key projection and rotation in plain torch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor


def plain_memory_keys(
    memory: Float[Tensor, "b m v"],
    codes: Float[Tensor, "1 m v"],
    weight: Float[Tensor, "c v"],
    bias: Float[Tensor, c],
    table: Complex[Tensor, "n pairs"],
    mapped: int,
) -> Float[Tensor, "b m c"]:
    """Return rotate((memory + codes) weight^T + bias): in float32, whatever the tensors are, then rounded.

    Parameters
    ----------
    memory
        (b, m, v): maps of n tokens each, then pointers.
    codes
        (1, m, v): where and when each token is.
    weight, bias
        (c, v) and (c,).
    table
        complex64 (n, c / 2): rotations of adjacent pairs of channels, for one map.
    mapped
        How many tokens belong to maps; those after them are not rotated.

    Returns
    -------
    Tensor
        (b, m, c).
    """
    keys = F.linear(memory.float() + codes.float(), weight.float(), bias.float())
    pairs = torch.view_as_complex(keys[:, :mapped].unflatten(-1, (-1, 2)).contiguous())
    turned = pairs.unflatten(1, (-1, len(table))) * table
    return torch.cat((torch.view_as_real(turned).flatten(-2).flatten(1, 2), keys[:, mapped:]), dim=1).to(
        memory.dtype
    )
