"""How a network runs on this machine: number format and faster layers, applied from outside."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar, cast

import torch
from torch import nn

from napari_sam2.inference.fast.decoder import GroupedDecoder, PlacedFourier
from napari_sam2.inference.fast.linear import PackedLinear, PackedMLP
from napari_sam2.inference.fast.memory import BlockedMemoryLayer, StepwiseMemoryAttention
from napari_sam2.inference.fast.neck import Applied, MergedEncoder
from napari_sam2.inference.fast.trunk import BandedBlock, PlacedHiera
from napari_sam2.model.families import ImageModel
from napari_sam2.model.hiera import Hiera, HieraBlock
from napari_sam2.model.image_encoder import ImageEncoder
from napari_sam2.model.layers import MLP
from napari_sam2.model.mask_decoder import MaskDecoder
from napari_sam2.model.memory_attention import MemoryLayer, RotaryMemoryAttention
from napari_sam2.model.positions import FourierPosition
from napari_sam2.model.sam2 import SAM2
from napari_sam2_kernels.onednn import obstacle

_log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=ImageModel)

_FASTER: Mapping[type[nn.Module], type[nn.Module]] = {
    nn.Linear: PackedLinear,
    MLP: PackedMLP,
    ImageEncoder: MergedEncoder,
    FourierPosition: PlacedFourier,
    MaskDecoder: GroupedDecoder,
    MemoryLayer: BlockedMemoryLayer,
    RotaryMemoryAttention: StepwiseMemoryAttention,
    HieraBlock: BandedBlock,
    Hiera: PlacedHiera,
}

_LARGE = re.compile(r"image_encoder|memory_attention(?!.*cross_attn_image\.k_proj)")
"""Parts that take nearly all of the time. What follows them decides where a mask's border is; keys of the
memory are rotated in float32 anyway."""


class Precision(Enum):
    """Number format of the large products; everything else stays in float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Prepared(Generic[Network]):
    """A network made ready.

    Attributes
    ----------
    model
        Computes what the one that was given computes; both share their parameters.
    precision
        In which number format.
    done
        What was done, in sentences.
    """

    model: Network
    precision: Precision
    done: tuple[str, ...]


def prepare(model: Network, precision: Precision = Precision.AUTO) -> Prepared[Network]:
    """Make a network fast on this machine.

    Parameters
    ----------
    model
        Any network, in evaluation mode; it is not changed.
    precision
        ``AUTO`` takes bfloat16 where the processor has it, and float32 elsewhere.

    Returns
    -------
    Prepared
        With a network that shares the parameters of the given one. Where nothing can be gained it is the
        given one, and the reason is in `Prepared.done` and in the log.
    """
    if model.device.type != "cpu" or model.dtype is not torch.float32:
        said = f"Left as it is: only float32 on a CPU is made faster, not {model.dtype} on {model.device}."
        return _told(Prepared(model, Precision.FLOAT32, (said,)))
    if (reason := obstacle(torch.float32)) is not None:
        return _told(Prepared(model, Precision.FLOAT32, (f"Left as it is: {reason}",)))
    done = ["Linear layers are packed; windows and hidden layers are computed in blocks."]
    half = precision is not Precision.FLOAT32
    if half and not isinstance(model, SAM2):
        done.append("float32 instead of bfloat16: that is for SAM 2 alone.")
        half = False
    if half and (reason := obstacle(torch.bfloat16)) is not None:
        done.append(f"float32 instead of bfloat16: {reason}")
        half = False
    twin = cast(Network, _twin(model).eval())
    if isinstance(twin, SAM2):
        _merge(twin)
    if half:
        done.append("Large products are computed in bfloat16.")
    for name, module in twin.named_modules():
        if isinstance(module, PackedLinear | MergedEncoder):
            module.number_format = torch.bfloat16 if half and _LARGE.match(name) else torch.float32
    return _told(Prepared(twin, Precision.BFLOAT16 if half else Precision.FLOAT32, tuple(done)))


def _twin(module: nn.Module) -> nn.Module:
    """Return the same module of a faster class where there is one; parameters and buffers are shared."""
    kind = _FASTER.get(type(module), type(module))
    twin = kind.__new__(kind)
    # Tables of parameters, buffers and hooks are the twin's own; what stands in them is shared.
    own = {name: copy(value) if isinstance(value, dict) else value for name, value in module.__dict__.items()}
    twin.__dict__.update(own)
    twin._modules = {name: child and _twin(child) for name, child in module._modules.items()}
    return twin


def _merge(model: SAM2) -> None:
    """Let the image encoder do the decoder's part of its work."""
    encoder, decoder = model.image_encoder, model.mask_decoder
    assert isinstance(encoder, MergedEncoder)
    # Past torch's own book-keeping: these parameters belong to the decoder.
    object.__setattr__(encoder, "finish", (decoder.conv_s0, decoder.conv_s1))
    for name in ("conv_s0", "conv_s1"):
        applied = Applied.__new__(Applied)
        applied.__dict__.update(getattr(decoder, name).__dict__)
        setattr(decoder, name, applied)


def _told(prepared: Prepared[Network]) -> Prepared[Network]:
    for line in prepared.done:
        _log.info(line)
    return prepared
