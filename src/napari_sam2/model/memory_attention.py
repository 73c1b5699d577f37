"""The current frame looks back at what is remembered (paper section 4, memory attention)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.ops import attend
from napari_sam2.model.positions import rotary_table, rotate


class MemoryAttention(nn.Module):
    """A stack of layers: the frame with itself, the frame with the memory, an MLP."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MemoryLayer(config) for _ in range(config.memory_layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(
        self,
        frame: Float[Tensor, "#b n c"],
        position: Float[Tensor, "1 n c"],
        memory: Float[Tensor, "#b m v"],
        codes: Float[Tensor, "1 m v"],
        mapped: int,
    ) -> Float[Tensor, "b n c"]:
        """Condition `frame` on `memory`.

        Parameters
        ----------
        frame
            (b or 1, n, c): with one item the frame's own part of the work is done once for all objects.
        position
            (1, n, c).
        memory
            (b, m, v): maps of n tokens each, then pointers.
        codes
            (1, m, v): where and when each memory token is.
        mapped
            How many memory tokens belong to maps; the pointers after them are not rotated.
        """
        x = frame + 0.1 * position
        for layer in self.layers:
            x = layer(x, memory, codes, mapped)
        out: Tensor = self.norm(x)
        return out


class MemoryLayer(nn.Module):
    """One layer; norms come first."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.self_attn = RotarySelfAttention(width)
        self.cross_attn_image = RotaryMemoryAttention(width, config.memory_width)
        self.linear1 = nn.Linear(width, config.memory_hidden)
        self.linear2 = nn.Linear(config.memory_hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(0.1)

    def forward(
        self,
        x: Float[Tensor, "#b n c"],
        memory: Float[Tensor, "#b m v"],
        codes: Float[Tensor, "1 m v"],
        mapped: int,
    ) -> Float[Tensor, "b n c"]:
        x = x + self.dropout(self.self_attn(self.norm1(x)))
        x = x + self.dropout(self.cross_attn_image(self.norm2(x), memory, codes, mapped))
        hidden = self.dropout(F.relu(self.linear1(self.norm3(x))))
        return x + self.dropout(self.linear2(hidden))


class RotarySelfAttention(nn.Module):
    """Attention of one head within a square map, positions as rotations (RoPE in two axes)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        table = rotary_table(x.shape[-1], _side(x), x.device)
        q, k = rotate(self.q_proj(x), table), rotate(self.k_proj(x), table)
        out: Tensor = self.out_proj(attend(q[:, None], k[:, None], self.v_proj(x)[:, None])[:, 0])
        return out


class RotaryMemoryAttention(nn.Module):
    """Attention of one head from a frame to its memory.

    The weights of each query sum to one, so weighting the raw memory and then projecting it equals weighting
    projected values: the value projection moves from all memory tokens to the few queries.
    """

    def __init__(self, width: int, memory_width: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(memory_width, width)
        self.v_proj = nn.Linear(memory_width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "#b n c"],
        memory: Float[Tensor, "#b m v"],
        codes: Float[Tensor, "1 m v"],
        mapped: int,
    ) -> Float[Tensor, "b n c"]:
        table = rotary_table(x.shape[-1], _side(x), x.device)
        q = rotate(self.q_proj(x), table)
        keys = self.k_proj(memory + codes)
        maps, pointers = keys[:, :mapped], keys[:, mapped:]
        maps = rotate(maps.unflatten(1, (-1, len(table))), table).flatten(1, 2)
        k = torch.cat((maps, pointers), dim=1) if pointers.shape[1] else maps
        seen = attend(q[:, None], k[:, None], memory[:, None])[:, 0]
        out: Tensor = self.out_proj(self.v_proj(seen))
        return out


def _side(tokens: Float[Tensor, "b n c"]) -> int:
    return int(tokens.shape[1] ** 0.5)
