"""The network's shape: four sizes and one switch; other numbers of the paper are literals where they act."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

from napari_sam2.errors import CheckpointError

Stem = Literal["patchify", "conv", "folded"]


@dataclass(frozen=True, slots=True)
class HieraConfig:
    """The trunk (Hiera with windowed position embeddings; paper section 4, image encoder).

    Parameters
    ----------
    embed_dim, num_heads
        Channels and heads of the first stage; both double from stage to stage.
    stages
        Blocks of each stage.
    global_blocks
        Blocks, counted from 0, that attend to the whole map.
    window_spec
        Side of the windows of each stage, in tokens.
    background_size
        Rows and columns of the coarse position embedding.
    drop_path
        Stochastic depth of the last block; it rises from 0 at the first.
    stem
        ``"patchify"``: one 7 x 7 convolution of stride 4, as in all released models. ``"conv"``: stacked
        3 x 3 convolutions with batch norm (Xiao et al. 2021). ``"folded"``: the same with the norm folded
        into the convolutions, as weight files hold it.
    stem_widths
        Channels after each 3 x 3 convolution of the stem; none for patches. Where the width changes, the map
        is halved: ``(24, 48)`` and ``(24, 48, 48)`` both end at stride 4.

    Raises
    ------
    CheckpointError
        If the stem is unknown, or its widths do not lead to stride 4.
    """

    embed_dim: int = 96
    num_heads: int = 1
    stages: tuple[int, ...] = (1, 2, 7, 2)
    global_blocks: tuple[int, ...] = (5, 7, 9)
    window_spec: tuple[int, ...] = (8, 4, 14, 7)
    background_size: tuple[int, int] = (7, 7)
    drop_path: float = 0.0
    stem: Stem = "patchify"
    stem_widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.stem not in get_args(Stem):
            raise CheckpointError(f"The stem must be one of {', '.join(get_args(Stem))}, got {self.stem!r}.")
        if self.stem == "patchify":
            if self.stem_widths:
                raise CheckpointError(
                    f"Patches have no stem widths, got {self.stem_widths}: leave them out, or set "
                    "stem='conv'."
                )
            return
        halvings = sum(before != after for before, after in pairwise((3, *self.stem_widths)))
        if halvings != 2 or min(self.stem_widths) < 1:
            raise CheckpointError(
                f"A convolutional stem halves the image wherever its width changes, and has to do so twice; "
                f"stem_widths={self.stem_widths} does it {halvings} times. Give two widths above 0, such as "
                "(24, 48), either of them repeated for more layers."
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after each stage, finest first; they double from stage to stage."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.stages)))


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything that decides which parameters a SAM 2 network has and how they are used."""

    trunk: HieraConfig = field(default_factory=HieraConfig)
    image_size: int = 1024
    width: int = 256
    memory_width: int = 64
    memory_layers: int = 4
    memory_hidden: int = 2048
    fuser_layers: int = 2
    num_maskmem: int = 7
    no_obj_embed_spatial: bool = True
    add_tpos_enc_to_obj_ptrs: bool = True
    proj_tpos_enc_in_obj_ptrs: bool = True
    use_signed_tpos_enc_to_obj_ptrs: bool = True

    def __post_init__(self) -> None:
        if self.image_size % 64:
            raise CheckpointError(f"The model's image size must be a multiple of 64, got {self.image_size}.")
        if self.width % self.memory_width:
            raise CheckpointError(
                f"The width ({self.width}) must be a multiple of the memory width ({self.memory_width}): "
                "an object pointer is cut into pieces as wide as the memory."
            )

    @property
    def grid(self) -> int:
        """Side of the coarse feature map (stride 16): 64 at 1024 px."""
        return self.image_size // 16

    @property
    def mask_size(self) -> int:
        """Side of the mask logits (stride 4): 256 at 1024 px."""
        return self.image_size // 4

    @classmethod
    def from_official(cls, mapping: Mapping[str, Any]) -> ModelConfig:
        """Read the reference's nested configuration keys.

        Parameters
        ----------
        mapping
            The configuration, or a mapping that holds it under ``"model"``. Keys at their defaults may be
            absent.

        Raises
        ------
        CheckpointError
            If a key that this network treats as fixed has another value; the message names it.
        """
        top: Mapping[str, Any] = mapping.get("model", mapping)
        _check_fixed(top)
        trunk = _branch(top, "image_encoder", "trunk")
        attention = _branch(top, "memory_attention")
        encoder = _branch(top, "memory_encoder")
        default = HieraConfig()
        return cls(
            trunk=HieraConfig(
                embed_dim=int(trunk.get("embed_dim", default.embed_dim)),
                num_heads=int(trunk.get("num_heads", default.num_heads)),
                stages=_ints(trunk.get("stages", (2, 3, 16, 3))),
                global_blocks=_ints(trunk.get("global_att_blocks", (12, 16, 20))),
                window_spec=_ints(trunk.get("window_spec", default.window_spec)),
                background_size=_pair(trunk.get("window_pos_embed_bkg_spatial_size", (14, 14))),
                drop_path=float(trunk.get("drop_path_rate", 0.0)),
            ),
            image_size=int(top.get("image_size", 512)),
            width=int(attention.get("d_model", 256)),
            memory_width=int(encoder.get("out_dim", 64)),
            memory_layers=int(attention.get("num_layers", 4)),
            memory_hidden=int(_branch(attention, "layer").get("dim_feedforward", 2048)),
            fuser_layers=int(_branch(encoder, "fuser").get("num_layers", 2)),
            num_maskmem=int(top.get("num_maskmem", 7)),
            **{name: bool(top.get(name, False)) for name in _SWITCH},
        )

    def to_json(self) -> str:
        """Return a text that `from_json` reads back; it travels inside our weight files."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """Read the text that `to_json` wrote."""
        try:
            values = json.loads(text)
            trunk: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in values.pop("trunk").items()
            }
            return cls(trunk=HieraConfig(**trunk), **values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"The configuration inside the weights cannot be read ({error}): the file is damaged, "
                "or was written by a newer version of this package."
            ) from error


# The one switch between the releases: SAM 2.1 has all four, SAM 2.0 none.
_SWITCH = (
    "no_obj_embed_spatial",
    "add_tpos_enc_to_obj_ptrs",
    "proj_tpos_enc_in_obj_ptrs",
    "use_signed_tpos_enc_to_obj_ptrs",
)

_SIZES = {
    "tiny": HieraConfig(96, 1, (1, 2, 7, 2), (5, 7, 9), (8, 4, 14, 7), (7, 7)),
    "small": HieraConfig(96, 1, (1, 2, 11, 2), (7, 10, 13), (8, 4, 14, 7), (7, 7)),
    "base_plus": HieraConfig(112, 2, (2, 3, 16, 3), (12, 16, 20), (8, 4, 14, 7), (14, 14)),
    "large": HieraConfig(144, 2, (2, 6, 36, 4), (23, 33, 43), (8, 4, 16, 8), (7, 7)),
}

RELEASED: dict[str, ModelConfig] = {
    f"{release}_hiera_{size}": ModelConfig(trunk=trunk, **dict.fromkeys(_SWITCH, release == "sam2.1"))
    for release in ("sam2", "sam2.1")
    for size, trunk in _SIZES.items()
}

# Embedded in the package. Its stem looks at the same pixels as the patches of the released models.
NANO = ModelConfig(
    trunk=HieraConfig(
        40, 1, (1, 2, 6, 1), (4, 6, 8), (8, 4, 8, 4), (8, 8), stem="conv", stem_widths=(24, 48)
    ),
    image_size=384,
    width=128,
    memory_width=32,
    memory_layers=2,
    memory_hidden=512,
)


def released(name: str) -> ModelConfig:
    """Return the configuration of a released model, such as ``"sam2.1_hiera_tiny"``."""
    try:
        return RELEASED[name]
    except KeyError:
        raise CheckpointError(
            f"No released model is called {name!r}; there are {', '.join(RELEASED)}."
        ) from None


# What all released configurations share and this network therefore takes for granted.
_FIXED: dict[tuple[str, ...], tuple[Any, ...]] = {
    ("image_encoder", "scalp"): (1,),
    ("image_encoder", "trunk", "q_pool"): (3,),
    ("image_encoder", "trunk", "q_stride"): ((2, 2),),
    ("image_encoder", "trunk", "dim_mul"): (2.0,),
    ("image_encoder", "trunk", "head_mul"): (2.0,),
    ("image_encoder", "neck", "fuse_type"): ("sum",),
    ("image_encoder", "neck", "fpn_top_down_levels"): ((2, 3),),
    ("image_encoder", "neck", "fpn_interp_model"): ("nearest",),
    ("memory_attention", "pos_enc_at_input"): (True,),
    ("memory_attention", "layer", "activation"): ("relu",),
    ("memory_attention", "layer", "pos_enc_at_attn"): (False,),
    ("memory_attention", "layer", "pos_enc_at_cross_attn_keys"): (True,),
    ("memory_attention", "layer", "pos_enc_at_cross_attn_queries"): (False,),
    ("memory_attention", "layer", "self_attention", "num_heads"): (1,),
    ("memory_attention", "layer", "self_attention", "rope_theta"): (10000.0,),
    ("memory_attention", "layer", "self_attention", "downsample_rate"): (1,),
    ("memory_attention", "layer", "cross_attention", "num_heads"): (1,),
    ("memory_attention", "layer", "cross_attention", "rope_theta"): (10000.0,),
    ("memory_attention", "layer", "cross_attention", "rope_k_repeat"): (True,),
    ("memory_attention", "layer", "cross_attention", "downsample_rate"): (1,),
    ("memory_encoder", "mask_downsampler", "kernel_size"): (3,),
    ("memory_encoder", "mask_downsampler", "stride"): (2,),
    ("memory_encoder", "fuser", "layer", "kernel_size"): (7,),
    ("memory_encoder", "fuser", "layer", "use_dwconv"): (True,),
    ("backbone_stride",): (16,),
    ("sigmoid_scale_for_mem_enc",): (20.0,),
    ("sigmoid_bias_for_mem_enc",): (-10.0,),
    ("use_mask_input_as_output_without_sam",): (True,),
    ("directly_add_no_mem_embed",): (True,),
    ("use_high_res_features_in_sam",): (True,),
    ("iou_prediction_use_sigmoid",): (True,),
    ("use_obj_ptrs_in_encoder",): (True,),
    ("pred_obj_scores",): (True,),
    ("pred_obj_scores_mlp",): (True,),
    ("fixed_no_obj_ptr",): (True,),
    ("soft_no_obj_ptr",): (False,),
    ("use_multimask_token_for_obj_ptr",): (True,),
    ("use_mlp_for_obj_ptr_proj",): (True,),
}


def _check_fixed(top: Mapping[str, Any]) -> None:
    for path, allowed in _FIXED.items():
        branch = _branch(top, *path[:-1])
        if path[-1] not in branch:
            continue
        value = branch[path[-1]]
        value = tuple(value) if isinstance(value, list | tuple) else value
        if value not in allowed:
            raise CheckpointError(
                f"This configuration sets {'.'.join(path)} to {value!r}; only {allowed[0]!r} is supported, "
                "as in all released SAM 2 models."
            )


def _branch(mapping: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        mapping = mapping.get(key) or {}
    return mapping


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in values)


def _pair(values: Any) -> tuple[int, int]:
    first, second = _ints(values)
    return first, second
