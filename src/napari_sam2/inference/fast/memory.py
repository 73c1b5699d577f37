"""Memory attention, one object and one map after the other, its hidden layer block by block."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam2.inference.fast.linear import by_rows
from napari_sam2.model.memory_attention import MemoryLayer, RotaryMemoryAttention
from napari_sam2.model.ops import attend
from napari_sam2.model.positions import rotary_table, rotate


class BlockedMemoryLayer(MemoryLayer):
    """A layer whose hidden values stay in the cache."""

    def forward(self, x: Tensor, memory: Tensor, codes: Tensor, mapped: int) -> Tensor:
        """Return x (b, n, c) in the light of the memory."""
        x = x + self.self_attn(self.norm1(x))
        x = x + self.cross_attn_image(self.norm2(x), memory, codes, mapped)
        return x + by_rows(lambda rows: self.linear2(self.linear1(self.norm3(rows)).relu_()), x)


class StepwiseMemoryAttention(RotaryMemoryAttention):
    """Never holds more than the keys of one object, nor rotates more than one map at a time."""

    def forward(self, x: Tensor, memory: Tensor, codes: Tensor, mapped: int) -> Tensor:
        """Return what every object sees, (b, n, c)."""
        table = rotary_table(x.shape[-1], int(x.shape[1] ** 0.5), x.device)
        queries = rotate(self.q_proj(x), table).expand(len(memory), -1, -1)
        seen = []
        for query, own in zip(queries.split(1), memory.split(1), strict=True):
            tokens = own + codes
            maps = tokens[:, :mapped].split(len(table), dim=1)
            keys = [rotate(self.k_proj(tokens_of_one), table).to(query.dtype) for tokens_of_one in maps]
            keys.append(self.k_proj(tokens[:, mapped:]).to(query.dtype))
            seen.append(attend(query[:, None], torch.cat(keys, dim=1)[:, None], own[:, None])[:, 0])
        out: Tensor = self.out_proj(self.v_proj(torch.cat(seen)))
        return out
