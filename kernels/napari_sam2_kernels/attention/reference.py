"""Attention whose values are narrower than its keys, in plain torch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

# Queries and, on a CPU, keys of one block of scores: 2 MB of float32 stay in the cache from the first product
# to the second, where a block of all keys is written to memory and read back several times.
_QUERIES, _KEYS = 512, 1024


def plain_attention(
    query: Float[Tensor, "b heads n c"],
    key: Float[Tensor, "b heads m c"],
    value: Float[Tensor, "b heads m v"],
) -> Float[Tensor, "b heads n v"]:
    """Return softmax(query key^T / sqrt(c)) value, block by block.

    torch's fused attention wants values as wide as keys; padding 64 columns to 256 would cost four times the
    work.

    Parameters
    ----------
    query
        (b, heads, n, c).
    key
        (b, heads, m, c).
    value
        (b, heads, m, v).

    Returns
    -------
    Tensor
        (b, heads, n, v).
    """
    query = query * query.shape[-1] ** -0.5
    keys = key.transpose(-1, -2)
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        return (query @ keys).softmax(-1) @ value
    # Elsewhere few large steps are better than many small ones.
    step = _KEYS if query.device.type == "cpu" else keys.shape[-1]
    out = query.new_empty(*query.shape[:-1], value.shape[-1])
    q, k, v, o = (x.flatten(0, 1) for x in (query, keys, value, out))
    for item in range(len(q)):
        for rows in range(0, q.shape[1], _QUERIES):
            block = slice(rows, rows + _QUERIES)
            o[item, block] = _attend_block(q[item, block], k[item].split(step, dim=1), v[item].split(step))
    return out


def _attend_block(query: Tensor, keys: tuple[Tensor, ...], values: tuple[Tensor, ...]) -> Tensor:
    """Softmax without ever seeing all scores: what came before fades when a larger score appears."""
    top = query.new_full((len(query), 1), -torch.inf, dtype=torch.float32)
    total = torch.zeros_like(top)
    seen: Tensor = torch.zeros_like(top)
    for k, v in zip(keys, values, strict=True):
        scores = (query @ k).float()
        new = torch.maximum(top, scores.amax(-1, keepdim=True))
        fade = (top - new).exp_()
        weights = scores.sub_(new).exp_()
        total = total * fade + weights.sum(-1, keepdim=True)
        seen = seen * fade + weights.to(v.dtype) @ v
        top = new
    return seen / total
