"""The reference's state dict and ours: the same tensors under two sets of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from napari_sam2.errors import CheckpointError
from napari_sam2.model.stem import EPS

Naming = Callable[[str], str]

# (the reference's, ours); everything else is called the same.
_PREFIXES = (
    ("sam_prompt_encoder.", "prompt_encoder."),
    ("sam_mask_decoder.", "mask_decoder."),
)
# Batch norm counts its steps, which nothing reads here; torch starts again at 0.
_COUNTER = ".num_batches_tracked"
_STEM = "image_encoder.trunk.patch_embed."


def official_name(name: str) -> str:
    """Return the reference's name for one of our parameters."""
    for theirs, ours in _PREFIXES:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    parts = name.split(".")
    if parts[:3] == ["image_encoder", "neck", "convs"]:
        # The reference wraps every lateral convolution in a container.
        return ".".join((*parts[:4], "conv", *parts[4:]))
    return name


def to_official(model: nn.Module, naming: Naming = official_name) -> dict[str, Tensor]:
    """Return all tensors of `model` under the reference's names.

    The reference has no convolutional stem and cannot load one; its tensors have names of our own,
    ``image_encoder.trunk.patch_embed.layers.0.conv.weight``, ``...layers.0.norm.running_var``,
    ``...patch_embed.out.bias`` and so on.
    """
    return {naming(name): tensor for name, tensor in _tensors(model).items()}


def fold_stem(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold the batch norms of a convolutional stem into the convolutions before them.

    A network whose ``trunk.stem`` is ``"folded"`` computes with the result what one whose stem is ``"conv"``
    computes in evaluation mode. Where no convolution of a stem has a norm, nothing is changed.

    Parameters
    ----------
    state_dict
        What `to_official` returned; it is left as it is.
    """
    folded = dict(state_dict)
    for key in state_dict:
        layer = key.removesuffix(".norm.weight")
        if layer == key or not key.startswith(_STEM):
            continue
        gain, offset, mean, variance = (
            folded.pop(f"{layer}.norm.{name}").double()
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        kernel = state_dict[f"{layer}.conv.weight"]
        scale = gain * torch.rsqrt(variance + EPS)
        folded[f"{layer}.conv.weight"] = (kernel.double() * scale[:, None, None, None]).to(kernel.dtype)
        folded[f"{layer}.conv.bias"] = (offset - mean * scale).to(kernel.dtype)
    return folded


def load(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    naming: Naming = official_name,
    hint: str = "SAM 2.0 and 2.1 differ",
) -> None:
    """Copy a state dict under the reference's names into `model`.

    Parameters
    ----------
    model
        The network.
    state_dict
        Every tensor of the network, and nothing else.
    naming
        The reference's name for one of our parameters.
    hint
        What the user may have mixed up.

    Raises
    ------
    CheckpointError
        Naming keys that are missing or unexpected, or whose shapes differ; the model is then unchanged.
    """
    ours = {naming(name): name for name in _tensors(model)}
    missing = [key for key in ours if key not in state_dict]
    unexpected = [key for key in state_dict if key not in ours]
    own = _tensors(model)
    reshaped = [
        f"{key} {tuple(state_dict[key].shape)} instead of {tuple(own[name].shape)}"
        for key, name in ours.items()
        if key in state_dict and state_dict[key].shape != own[name].shape
    ]
    found = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    complaints = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in found if keys]
    if complaints:
        raise CheckpointError(
            f"These weights do not fit this network: {'; '.join(complaints)}. "
            f"Check that the configuration is the one they were trained with ({hint})."
        )
    model.load_state_dict({name: state_dict[key] for key, name in ours.items()})


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if not name.endswith(_COUNTER)}


def _some(keys: list[str], limit: int = 4) -> str:
    return ", ".join(keys[:limit]) + (", ..." if len(keys) > limit else "")
