"""What becomes of the axes when one of them is called something else."""

import pytest

from napari_sam2.plugin.axis_choice import called, held_letter, offered, sentence, ways, wrong
from napari_sam2.plugin.layer_axes import LayerAxes


@pytest.mark.parametrize(
    ("letters", "axis", "letter", "expected"),
    [
        ("TYX", 0, "Z", "ZYX"),
        ("TYX", 0, "T", "TYX"),
        ("TZYX", 0, "Z", "ZTYX"),
        ("CTYX", 1, "C", "TCYX"),
        ("TYX", 2, "T", "XYT"),
        ("YX", 0, "T", "TX"),
    ],
)
def test_the_axis_that_had_the_letter_takes_the_old_one(
    letters: str, axis: int, letter: str, expected: str
) -> None:
    assert called(letters, axis, letter) == expected


@pytest.mark.parametrize(
    ("letters", "shape", "word"),
    [("TX", (5, 6), "Y and X"), ("TCX", (2, 3, 4), "Y and X"), ("YX", (2, 3, 4), "3 axes")],
)
def test_what_makes_no_sense_is_said(letters: str, shape: tuple[int, ...], word: str) -> None:
    assert word in wrong(letters, shape)


def test_what_makes_sense_needs_no_words() -> None:
    assert wrong("TZYX", (2, 3, 4, 5)) == ""


@pytest.mark.parametrize(
    ("letters", "shape", "along", "expected"),
    [
        ("TYX", (5, 6, 7), None, ("T", "", "5 frames through time.")),
        ("ZYX", (5, 6, 7), None, ("Z", "", "5 slices through depth.")),
        ("TZYX", (5, 4, 6, 7), None, ("TZ", "Z", "5 frames through time, at slice 2.")),
        ("TZYX", (5, 4, 6, 7), "Z", ("TZ", "T", "4 slices through depth, at frame 3.")),
        ("TZYX", (5, 1, 6, 7), None, ("T", "", "5 frames through time.")),
        ("YX", (6, 7), None, ("", "", "A single image.")),
        ("TYX", (1, 6, 7), None, ("", "", "A single image.")),
    ],
)
def test_words_for_axes(
    letters: str, shape: tuple[int, ...], along: str | None, expected: tuple[str, str, str]
) -> None:
    axes = LayerAxes.of(letters, shape, along, position=(3, 2, 0, 0))
    assert (ways(axes), held_letter(axes), sentence(axes)) == expected


def test_colours_of_an_rgb_layer_are_channels_for_good() -> None:
    assert offered(True) == "C"
    assert set(offered(False)) == set("TZCYX")
