"""Lines can be told from what they lie on, in either theme."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.plugin.ink import LEGIBLE, Ink, contrast, legible

BLACK, WHITE = Ink(0, 0, 0), Ink(1, 1, 1)
LIGHT = Ink(0.92, 0.90, 0.90)
DARK = Ink(0.15, 0.16, 0.18)
CHANNEL = st.floats(0, 1)


def test_contrast_of_black_and_white() -> None:
    assert contrast(BLACK, WHITE) == contrast(WHITE, BLACK) == pytest.approx(21)
    assert contrast(DARK, DARK) == 1


@given(st.builds(Ink, CHANNEL, CHANNEL, CHANNEL), st.sampled_from([(DARK, WHITE), (LIGHT, BLACK)]))
def test_every_colour_becomes_legible(ink: Ink, theme: tuple[Ink, Ink]) -> None:
    ground, text = theme
    assert contrast(legible(ink, ground, text), ground) >= LEGIBLE


def test_a_legible_colour_stays() -> None:
    blue = Ink(0.1, 0.2, 0.8)
    assert legible(blue, LIGHT, BLACK) == blue
    assert legible(blue, DARK, WHITE) != blue
