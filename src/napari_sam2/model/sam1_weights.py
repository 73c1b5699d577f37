"""SAM's state dicts and ours: names, fine-tunes' prefixes, and position tables of another length."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

# (the reference's, ours), wherever an MLP of two layers is meant.
_LAYERS = ((".mlp.lin1.", ".mlp.layers.0."), (".mlp.lin2.", ".mlp.layers.1."))
# (in a file with adapters, without), where an adapter wraps a layer.
_ADAPTED = ((".attn.qkv.qkv_proj.", ".attn.qkv."), (".mlp.mlp_layer.", ".mlp."))
_PARTS = ("q", "k", "v")
_WRAPPER = "sam."


def official_name(name: str) -> str:
    """Return the reference's name for one of our parameters."""
    for theirs, ours in _LAYERS:
        name = name.replace(ours, theirs)
    return name


def unwrapped(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict without the prefix ``sam.`` of all names in a training run of micro-sam."""
    if all(key.startswith(_WRAPPER) for key in state_dict):
        return {key.removeprefix(_WRAPPER): tensor for key, tensor in state_dict.items()}
    return dict(state_dict)


def merged(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the low-rank changes of an adapter (LoRA, Hu et al. 2022) to the weights that they change.

    Without adapters nothing is changed; where one half of an adapter is missing, the other stays as it is.
    """
    plain = {}
    for key, tensor in state_dict.items():
        for theirs, ours in _ADAPTED:
            key = key.replace(theirs, ours)
        plain[key] = tensor
    for key in list(plain):
        layer, down, part = key.removesuffix(".weight").partition(".w_a_linear_")
        other = f"{layer}.w_b_linear_{part}.weight"
        target = f"{layer}.weight" if part in _PARTS else f"{layer}.lin{part}.weight"
        if not down or other not in plain or target not in plain:
            continue
        change = plain.pop(other) @ plain.pop(key)
        # Queries, keys and values are one after the other in one matrix.
        first = _PARTS.index(part) * len(change) if part in _PARTS else 0
        weight = plain[target].clone()
        weight[first : first + len(change)] += change
        plain[target] = weight
    return plain


def fit_tables(state_dict: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Resize tables of relative positions to the length that the network needs.

    A table learnt for another window or image size is interpolated along its rows, as the reference does each
    time it is used. All released files have the native length and pass unchanged.

    Parameters
    ----------
    state_dict
        The weights, under the reference's names; left as it is.
    own
        The network's tensors, under the same names.
    """
    fitted = dict(state_dict)
    for key, table in state_dict.items():
        if not key.endswith((".rel_pos_h", ".rel_pos_w")) or key not in own or table.ndim != 2:
            continue
        length = len(own[key])
        if len(table) not in (0, length):
            lines = table.T[None].float()
            resized = F.interpolate(lines, size=length, mode="linear", align_corners=False)
            fitted[key] = resized[0].T.to(table.dtype)
    return fitted
