"""The shapes of SAM (Kirillov et al. 2023): three sizes of one network, which differ in the encoder alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from napari_sam2.errors import CheckpointError

FAMILY = "sam1"
"""What the configuration inside our weight files says of itself; SAM 2's says nothing."""


@dataclass(frozen=True, slots=True)
class Sam1Config:
    """Everything that decides which parameters a SAM network has.

    Parameters
    ----------
    embed_dim, depth, num_heads
        Channels, blocks and heads of the image encoder.
    global_blocks
        Blocks, counted from 0, that attend to the whole map; the others to windows.
    window
        Side of the windows, in tokens of 16 x 16 pixels.
    image_size
        Side of the square input.
    width
        Channels of the embedding and of the decoder.
    decoder_heads, decoder_hidden, iou_hidden
        The same in all released sizes.

    Raises
    ------
    CheckpointError
        If the numbers do not fit each other.
    """

    embed_dim: int = 768
    depth: int = 12
    num_heads: int = 12
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    window: int = 14
    image_size: int = 1024
    width: int = 256
    decoder_heads: int = 8
    decoder_hidden: int = 2048
    iou_hidden: int = 256

    def __post_init__(self) -> None:
        if self.image_size % 16:
            raise CheckpointError(f"The model's image size must be a multiple of 16, got {self.image_size}.")
        if self.embed_dim % self.num_heads:
            raise CheckpointError(
                f"The channels ({self.embed_dim}) must be a multiple of the heads ({self.num_heads})."
            )

    @property
    def grid(self) -> int:
        """Side of the embedding (stride 16): 64 at 1024 px."""
        return self.image_size // 16

    @property
    def mask_size(self) -> int:
        """Side of the mask logits (stride 4): 256 at 1024 px."""
        return self.image_size // 4

    def to_json(self) -> str:
        """Return a text that `from_json` reads back; it travels inside our weight files."""
        return json.dumps({"family": FAMILY, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Sam1Config:
        """Read the text that `to_json` wrote."""
        try:
            values: dict[str, Any] = json.loads(text)
            values.pop("family")
            values["global_blocks"] = tuple(values["global_blocks"])
            return cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"The configuration inside the weights cannot be read ({error}): the file is damaged, "
                "or was written by a newer version of this package."
            ) from error


SAM1_RELEASED: dict[str, Sam1Config] = {
    "sam_vit_b": Sam1Config(768, 12, 12, (2, 5, 8, 11)),
    "sam_vit_l": Sam1Config(1024, 24, 16, (5, 11, 17, 23)),
    "sam_vit_h": Sam1Config(1280, 32, 16, (7, 15, 23, 31)),
}
