"""How frames are chosen: a table."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.io.axes import settle_axes
from napari_sam2.io.frame_choice import choose_frames
from napari_sam2.io.frames import frames_of, open_frames
from napari_sam2.io.images import open_image

FULL = np.random.default_rng(0).integers(0, 255, (4, 3, 2, 10, 12), dtype=np.uint8)  # TZCYX


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"at": {"Z": 1}, "channel": 0}, FULL[:, 1, 0]),
        ({"at": {"z": -1}, "channel": -1}, FULL[:, 2, 1]),
        ({"at": {"T": 2, "C": 1}}, FULL[2, :, 1]),
        ({"at": {"T": 2, "Z": 1, "C": 1}}, FULL[2:3, 1, 1]),
        ({"along": "Z", "at": {"T": 0}, "channel": "all"}, np.moveaxis(FULL[0], 1, -1)),
        ({"along": "t", "at": {"Z": 0}, "channel": "all"}, np.moveaxis(FULL[:, 0], 1, -1)),
    ],
)
def test_all_axes_at_once(choice, expected):
    with open_frames(FULL, axes="TZCYX", **choice) as frames:
        assert frames.shape == expected.shape
        assert np.array_equal(np.stack(list(frames)), expected)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({}, "pick one channel.*either time"),
        ({"channel": 0}, r'either time \(T\) with at=\{"Z": 0\}'),
        ({"at": {"Z": 0}}, r"pick one channel \(C\) with channel=0, or keep them"),
        ({"along": "T", "channel": 0}, "either time"),
        ({"along": "T", "at": {"T": 0}}, "cannot follow each other along 'T'"),
        ({"along": "Y"}, "cannot follow each other along 'Y'"),
        ({"at": {"Z": 3}, "channel": 0}, "no Z = 3. Count from 0 to 2"),
        ({"at": {"Z": 0}, "channel": 2}, "no C = 2"),
        ({"at": {"Y": 0}}, "cannot be held at Y"),
        ({"at": {"Q": 0}}, "cannot be held at Q"),
        ({"at": {"C": 0}, "channel": 0}, "give one of them"),
        ({"at": {"Z": 0}, "channel": "GFP"}, "no single channel 'GFP'. Its channels have no names"),
    ],
)
def test_choices_that_are_missing_or_do_not_fit(choice, words):
    with pytest.raises(ImageError, match=words):
        open_frames(FULL, axes="TZCYX", **choice)


def test_channels_by_name():
    def chosen(names, name):
        return choose_frames("a", "CYX", (2, 10, 12), names, channel=name).held

    assert chosen(("DAPI", "GFP"), "GFP") == (("C", 1),)
    with pytest.raises(ImageError, match=r"'RFP'\. The names are 'DAPI', 'GFP'"):
        chosen(("DAPI", "GFP"), "RFP")
    with pytest.raises(ImageError, match="no single channel 'GFP'"):
        chosen(("GFP", "GFP"), "GFP")


def test_axes_of_length_one_need_no_choice():
    for axes, shape in (("TZCYX", (1, 1, 1, 10, 12)), ("ZYX", (1, 10, 12)), ("YX", (10, 12))):
        frames = open_frames(FULL[0, 0, 0].reshape(shape), axes=axes)
        assert np.array_equal(np.stack(list(frames)), FULL[0, 0, :1])


def test_colour_is_kept_and_can_be_taken_apart():
    image = open_image(np.moveaxis(FULL[:, :, 0], 1, -1), "TYXC")
    assert frames_of(image).shape == (4, 10, 12, 3)
    assert np.array_equal(frames_of(image, channel=2)[1], FULL[1, 2, 0])
    assert np.array_equal(frames_of(image, channel=0)[1], FULL[1, 0, 0])


def test_one_channel_of_an_image_without_channels():
    assert open_frames(FULL[:, 0, 0], channel=0).shape == (4, 10, 12)
    with pytest.raises(ImageError, match="cannot be held at C = 1"):
        open_frames(FULL[:, 0, 0], channel=1)


@pytest.mark.parametrize(
    ("stored", "shape", "letters", "dropped"),
    [
        ("TZCYX", (2, 1, 3, 5, 5), "TZCYX", ()),
        ("QYX", (9, 5, 5), "TYX", ()),
        ("IYXS", (9, 5, 5, 3), "TYXC", ()),
        ("ACYXS", (1, 1, 5, 5, 3), "YXC", (0, 1)),
        ("TQYX", (2, 1, 5, 5), "TYX", (1,)),
    ],
)
def test_axes_are_settled(stored, shape, letters, dropped):
    settled = settle_axes("a", stored, shape)
    assert (settled.letters, settled.dropped) == (letters, dropped)


@pytest.mark.parametrize(
    ("stored", "shape", "words"),
    [
        ("QQYX", (2, 3, 5, 5), "axes QQYX .*name each axis once"),
        ("HYX", (2, 5, 5), "axes HYX"),
        ("TQYX", (2, 3, 5, 5), "axes TQYX"),
        ("CYXS", (2, 5, 5, 3), r"channels \(C\) of colour \(S\)"),
    ],
)
def test_axes_that_cannot_be_settled(stored, shape, words):
    with pytest.raises(ImageError, match=words):
        settle_axes("a", stored, shape)
