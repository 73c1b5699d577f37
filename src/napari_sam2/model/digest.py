"""Telling weights apart."""

from __future__ import annotations

import hashlib

import torch

from napari_sam2.model.families import ImageModel


def digest(model: ImageModel) -> str:
    """Return the SHA-256 of a network's weights, in hexadecimal digits, whatever their type and device."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        hashed.update(name.encode())
        hashed.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return hashed.hexdigest()
