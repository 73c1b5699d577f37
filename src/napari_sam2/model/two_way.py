"""A transformer in which prompt tokens and image look at each other (SAM, appendix A)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.layers import MLP
from napari_sam2.model.ops import attend


class TwoWayTransformer(nn.Module):
    """Two layers, then a last look of the tokens at the image."""

    def __init__(self, width: int, heads: int = 8, hidden: int = 2048) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayLayer(width, heads, hidden, first=i == 0) for i in range(2))
        self.final_attn_token_to_image = Attention(width, width // 2, heads)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(
        self, tokens: Float[Tensor, "b t c"], image: Float[Tensor, "#b n c"], position: Float[Tensor, "1 n c"]
    ) -> tuple[Float[Tensor, "b t c"], Float[Tensor, "b n c"]]:
        """Update `tokens` (b, t, c) and `image` (b or 1, n, c); `position` (1, n, c) is added to keys.

        An image of batch one is shared by all prompts until it first looks at their tokens.
        """
        start = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, start, position)
        seen = self.final_attn_token_to_image(tokens + start, image + position, image)
        return self.norm_final_attn(tokens + seen), image


class TwoWayLayer(nn.Module):
    """Tokens among themselves, tokens to image, an MLP, image to tokens; norms come after."""

    def __init__(self, width: int, heads: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(width, width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = Attention(width, width // 2, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, hidden, width, depth=2)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = Attention(width, width // 2, heads)

    def forward(
        self,
        tokens: Float[Tensor, "b t c"],
        image: Float[Tensor, "#b n c"],
        start: Float[Tensor, "b t c"],
        position: Float[Tensor, "1 n c"],
    ) -> tuple[Float[Tensor, "b t c"], Float[Tensor, "b n c"]]:
        if self.first:
            # No residual and no position here: the tokens are their own positions.
            tokens = self.norm1(self.self_attn(tokens, tokens, tokens))
        else:
            query = tokens + start
            tokens = self.norm1(tokens + self.self_attn(query, query, tokens))
        seen = self.cross_attn_token_to_image(tokens + start, image + position, image)
        tokens = self.norm2(tokens + seen)
        tokens = self.norm3(tokens + self.mlp(tokens))
        told = self.cross_attn_image_to_token(image + position, tokens + start, tokens)
        return tokens, self.norm4(image + told)


class Attention(nn.Module):
    """Attention computed at `inner` channels."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)
        if inner < width:
            # Between tokens and image, look first where the positions agree; from other starts a small
            # network takes very long to notice where a click is.
            nn.init.orthogonal_(self.q_proj.weight, gain=2.0)
            self.k_proj.weight.data.copy_(self.q_proj.weight.data)
            nn.init.orthogonal_(self.v_proj.weight)
            nn.init.orthogonal_(self.out_proj.weight)

    def forward(
        self, query: Float[Tensor, "#b n c"], key: Float[Tensor, "#b m c"], value: Float[Tensor, "#b m c"]
    ) -> Float[Tensor, "b n c"]:
        q, k, v = (
            proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for proj, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        out: Tensor = self.out_proj(attend(q, k, v).transpose(1, 2).flatten(2))
        return out
