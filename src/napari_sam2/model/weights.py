"""The reference's state dict and ours: the same tensors under two sets of names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from napari_sam2.errors import CheckpointError

# (the reference's, ours); everything else is called the same.
_PREFIXES = (
    ("sam_prompt_encoder.", "prompt_encoder."),
    ("sam_mask_decoder.", "mask_decoder."),
)


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


def to_official(model: nn.Module) -> dict[str, Tensor]:
    """Return all tensors of `model` under the reference's names."""
    return {official_name(name): tensor for name, tensor in model.state_dict().items()}


def load(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy a state dict under the reference's names into `model`.

    Raises
    ------
    CheckpointError
        Naming keys that are missing or unexpected, or whose shapes differ; the model is then unchanged.
    """
    ours = {official_name(name): name for name in model.state_dict()}
    missing = [key for key in ours if key not in state_dict]
    unexpected = [key for key in state_dict if key not in ours]
    own = model.state_dict()
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
            "Check that the configuration is the one they were trained with (SAM 2.0 and 2.1 differ)."
        )
    model.load_state_dict({name: state_dict[key] for key, name in ours.items()})


def _some(keys: list[str], limit: int = 4) -> str:
    return ", ".join(keys[:limit]) + (", ..." if len(keys) > limit else "")
