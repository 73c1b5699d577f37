"""From what the form says to what the model sees."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.imaging.intensity import GREEN_MAGENTA, RGB, WHITE, Channel, IntensityMap
from napari_sam2.plugin.contrast import (
    ChannelRow,
    Contrast,
    Shown,
    Wish,
    colors_for,
    intensity_for,
    rows_of,
    summary,
    tint,
)

SHOWN = Shown(10.0, 90.0, (0.0, 1.0, 0.0), channel=1)


def stack(channels: int = 1) -> np.ndarray:
    frames = np.random.default_rng(0).integers(0, 1000, (4, 20, 24, channels)).astype(np.uint16)
    return frames[..., 0] if channels == 1 else frames


def rows(channels: int, used: tuple[int, ...] | None = None, rgb: bool = False) -> tuple[ChannelRow, ...]:
    return tuple(
        ChannelRow(used is None or i in used, color, 100.0, 200.0 + i)
        for i, color in enumerate(colors_for(channels, rgb))
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_usual_is_left_to_the_session(channels: int) -> None:
    assert intensity_for(Wish(Contrast.STACK, rows(channels)), SHOWN, stack(channels)) is None


def test_of_four_channels_the_session_takes_three() -> None:
    frames = stack(4)
    assert intensity_for(Wish(Contrast.STACK, rows(4, (0, 1, 2))), SHOWN, frames) is None
    assert {c.index for c in IntensityMap.for_frames(frames).channels} == {0, 1, 2}
    all_four = intensity_for(Wish(Contrast.STACK, rows(4)), SHOWN, frames)
    assert all_four is not None
    assert [c.index for c in all_four.channels] == [0, 1, 2, 3]


def test_other_percentiles_are_found_in_the_stack() -> None:
    frames = stack()
    found = intensity_for(Wish(Contrast.STACK, rows(1), (5.0, 95.0)), SHOWN, frames)
    assert found is not None
    assert (found.channels[0].low, found.channels[0].high) == tuple(np.percentile(frames, (5, 95)))


def test_channels_that_are_left_out_are_not_seen() -> None:
    found = intensity_for(Wish(Contrast.STACK, rows(3, (2,))), SHOWN, stack(3))
    assert found is not None
    assert [(c.index, c.color) for c in found.channels] == [(2, RGB[2])]


def test_fixed_ranges_are_taken_as_they_are() -> None:
    found = intensity_for(Wish(Contrast.FIXED, rows(2, (1,))), SHOWN, stack(2))
    assert found == IntensityMap((Channel(1, 100.0, 201.0, GREEN_MAGENTA[1]),))


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        (Wish(Contrast.FIXED, rows(2, ())), "No channel"),
        (Wish(Contrast.FIXED, (ChannelRow(True, WHITE, 5.0, 5.0),)), "empty"),
        (Wish(Contrast.FIXED, (ChannelRow(True, WHITE, float("nan"), 5.0),)), "finite"),
        (Wish(Contrast.STACK, rows(1), (60.0, 40.0)), "Percentiles"),
    ],
)
def test_what_makes_no_sense_is_said(wish: Wish, word: str) -> None:
    with pytest.raises(ImageError, match=word):
        intensity_for(wish, SHOWN, stack(len(wish.channels)))


def test_as_the_layer_shows_it() -> None:
    wish = Wish(Contrast.LAYER, rows(2))
    assert intensity_for(wish, SHOWN, stack(2)) == IntensityMap((Channel(1, 10.0, 90.0, (0.0, 1.0, 0.0)),))
    assert intensity_for(wish, SHOWN, stack()) == IntensityMap((Channel(0, 10.0, 90.0, (0.0, 1.0, 0.0)),))


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255.0), (np.uint16, 65535.0), (np.float32, 1.0)])
def test_colour_is_shown_as_it_is(dtype: type, top: float) -> None:
    frames = np.zeros((1, 4, 4, 3), dtype)
    found = intensity_for(Wish(Contrast.LAYER, rows(3, rgb=True), rgb=True), SHOWN, frames)
    assert found is not None
    assert {(c.low, c.high) for c in found.channels} == {(0.0, top)}


def test_hues_survive_percentiles() -> None:
    wish = Wish(Contrast.STACK, rows(3, rgb=True), (1.0, 99.0), rgb=True)
    found = intensity_for(wish, SHOWN, stack(3))
    assert found is not None
    assert len({(c.low, c.high) for c in found.channels}) == 1


@pytest.mark.parametrize(
    ("colors", "expected"),
    [
        ([[0, 0, 0, 1], [0, 1, 0, 1]], (0.0, 1.0, 0.0)),
        ([[1, 1, 1, 1], [0, 0, 0, 1]], WHITE),
        ([[0, 0, 0], [1, 1, 1]], WHITE),
    ],
)
def test_tint_of_a_colour_map(colors: list[list[float]], expected: tuple[float, float, float]) -> None:
    assert tint(np.array(colors)) == expected


def test_rows_show_a_mapping() -> None:
    intensity = IntensityMap((Channel(1, 3.0, 4.0, WHITE),))
    assert rows_of(intensity, 2, False, 0.0, 9.0) == (
        ChannelRow(False, GREEN_MAGENTA[0], 0.0, 9.0),
        ChannelRow(True, WHITE, 3.0, 4.0),
    )
    assert [row.used for row in rows_of(None, 3, True, 0.0, 9.0)] == [True] * 3


def test_summary_is_short_where_all_channels_agree() -> None:
    assert summary(IntensityMap.identity()) == "0 to 255"
    assert summary(IntensityMap((Channel(0, 1, 2), Channel(3, 1.5, 2000)))) == "C0: 1 to 2, C3: 1.5 to 2000"
