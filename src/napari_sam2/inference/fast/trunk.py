"""The trunk a band of windows at a time, and its position embedding computed once."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam2.inference.fast.linear import ROWS
from napari_sam2.model.hiera import Hiera, HieraBlock


class BandedBlock(HieraBlock):
    """Windows know nothing of each other, so bands of them are computed one after the other, in the cache."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's map, (b, h, w, c) or half its sides."""
        if not self.window or x.device.type != "cpu":
            return super().forward(x)
        tall = -(-ROWS // (len(x) * x.shape[2] * self.window)) * self.window
        run = super().forward
        return torch.cat([run(band) for band in x.split(tall, dim=1)], dim=1)


class PlacedHiera(Hiera):
    """Keeps the position embedding of the last size; it depends on nothing else."""

    _placed: tuple[tuple[int, ...], Tensor] | None = None

    def _position(self, height: int, width: int) -> Tensor:
        parts = (self.pos_embed, self.pos_embed_window)
        stamps = (p.data_ptr() for p in parts), (0 if p.is_inference() else p._version for p in parts)
        key = (height, width, *(number for stamp in stamps for number in stamp))
        if self._placed is None or self._placed[0] != key:
            with torch.inference_mode(False), torch.no_grad():
                self._placed = key, super()._position(height, width).contiguous()
        return self._placed[1]
