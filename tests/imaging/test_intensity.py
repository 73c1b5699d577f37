"""One mapping from any pixels to what the model sees."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.imaging.intensity import RGB, Channel, IntensityMap


class Lazy:
    """Frames that remember which of them were read."""

    def __init__(self, frames):
        self.frames, self.read = frames, []

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.read.append(index)
        return self.frames[index]


def ramp(dtype, low=0, high=255, shape=(4, 16, 16)):
    return np.linspace(low, high, int(np.prod(shape))).reshape(shape).astype(dtype)


def test_identity_is_exactly_a_255th():
    frame = np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3)
    out = IntensityMap.identity()(frame)
    assert out.dtype == np.float32
    assert np.array_equal(out, frame.astype(np.float32) / np.float32(255))


def test_alpha_is_ignored():
    frame = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    assert np.array_equal(IntensityMap.identity()(frame), IntensityMap.identity()(frame[:, :, :3]))
    stack = np.stack([frame] * 2)
    assert IntensityMap.for_frames(stack) == IntensityMap.identity()
    wide = stack.astype(np.uint16) * 100
    wide[..., 3] = 60000
    assert max(c.high for c in IntensityMap.for_frames(wide).channels) <= wide[..., :3].max()


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u2", "i2", ">u2", "u4", "i4", "u8", "f2", "f4", "f8", ">f4"], ids=str
)
def test_every_dtype_is_windowed_alike(dtype):
    frame = ramp(dtype, 0, 120, (1, 11, 11))[0]
    out = IntensityMap.window(20, 100)(frame)
    expected = np.clip((frame.astype(np.float64) - 20) / 80, 0, 1)
    assert out.shape == (11, 11, 3)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.repeat(expected[:, :, None], 3, 2), atol=2e-7)


def test_negative_integers():
    frame = np.array([[-32768, -100, 0, 100, 32767]], np.int16)
    assert IntensityMap.window(-100, 100)(frame)[0, :, 1].tolist() == [0, 0, 0.5, 1, 1]


def test_bool_frames():
    frame = np.eye(4, dtype=bool)
    stack = np.stack([frame, ~frame])
    assert np.array_equal(IntensityMap.for_frames(stack)(frame)[:, :, 2], frame.astype(np.float32))


def test_sixteen_bits_survive():
    frame = np.arange(40000, 40256, dtype=np.uint16).reshape(16, 16)
    assert len(np.unique(IntensityMap.window(40000, 40255)(frame))) == 256


def test_small_differences_of_large_numbers_survive():
    frame = np.arange(4_000_000_000, 4_000_000_256, dtype=np.uint32).reshape(16, 16)
    assert len(np.unique(IntensityMap.window(4e9, 4e9 + 255)(frame))) == 256


def test_extreme_floats_do_not_overflow():
    top = float(np.finfo(np.float32).max)
    out = IntensityMap.window(-top, top)(np.array([[-top, 0, top]], np.float32))
    np.testing.assert_allclose(out[0, :, 0], [0, 0.5, 1])


def test_channels_are_tinted_summed_and_clipped():
    mapping = IntensityMap((Channel(2, 0, 10, (1.0, 0.5, 0.0)), Channel(0, 0, 10, (1.0, 0.0, 0.0))))
    frame = np.zeros((1, 1, 3), np.uint16)
    frame[0, 0] = [6, 999, 8]
    np.testing.assert_allclose(mapping(frame)[0, 0], [1.0, 0.4, 0.0])


def test_fit_follows_percentiles():
    stack = ramp(np.uint16, 0, 10000, (4, 64, 64))
    (channel,) = IntensityMap.fit(stack, (1, 99)).channels
    assert (channel.low, channel.high) == tuple(np.percentile(stack, (1, 99)))


def test_named_channels_are_fitted_one_by_one():
    stack = np.stack([ramp(np.uint16, 0, 100), ramp(np.uint16, 0, 9000)], axis=-1)
    green, magenta = IntensityMap.fit(stack).channels
    assert green.high < 101 < magenta.high
    assert green.color == (0.0, 1.0, 0.0)
    assert IntensityMap.fit(np.repeat(stack, 2, -1)).channels[3].index == 3


def test_colour_beyond_eight_bits_shares_one_range():
    stack = np.stack([ramp(np.uint16, 0, 100), ramp(np.uint16, 0, 1000), ramp(np.uint16, 0, 9000)], axis=-1)
    channels = IntensityMap.for_frames(stack).channels
    assert len({(c.low, c.high) for c in channels}) == 1
    assert tuple(c.color for c in channels) == RGB


def test_fit_reads_a_few_evenly_spaced_frames():
    lazy = Lazy(ramp(np.uint16, 0, 999, (100, 8, 8)))
    IntensityMap.fit(lazy, max_frames=5)
    assert sorted(set(lazy.read)) == [0, 25, 50, 74, 99]


def test_sparse_images_fall_back_to_the_extremes():
    stack = np.zeros((2, 100, 100), np.uint16)
    stack[1, 33, 57] = 500
    for pixels in (1_000_000, 100):
        (channel,) = IntensityMap.fit(stack, max_pixels=pixels).channels
        assert (channel.low, channel.high) == (0, 500)


def test_a_constant_frame_or_channel_beside_varying_ones():
    stack = ramp(np.float32, 0, 1)
    stack[0] = 0.25
    mapping = IntensityMap.fit(stack)
    assert np.ptp(mapping(stack[0])) == 0
    colour = np.stack([stack, np.full_like(stack, 7)], axis=-1)
    assert np.array_equal(IntensityMap.fit(colour)(colour[1])[:, :, 0], np.zeros((16, 16)))


def test_a_list_of_frames_and_the_repr():
    mapping = IntensityMap.fit(list(ramp(np.uint8)))
    assert eval(repr(mapping)) == mapping


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(value):
    stack = ramp(np.float32)
    stack[2, 3, 4:6] = value
    with pytest.raises(ImageError, match=r"Frame 2 holds 2 NaN or infinite value.*among 256.*nan_to_num"):
        IntensityMap.fit(stack)
    with pytest.raises(ImageError, match=r"2 NaN or infinite value.*nan_to_num"):
        IntensityMap.window(0, 1)(stack[2])


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 8, 8, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_constant_stacks(shape, dtype):
    with pytest.raises(ImageError, match="Every sampled pixel is 7: there is nothing to segment"):
        IntensityMap.for_frames(np.full(shape, 7, dtype))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((0, 5), np.uint8), "0 pixels"),
        (np.zeros(5, np.uint8), r"a frame is \(H, W\)"),
        (np.zeros((2, 5, 5, 3), np.uint8), r"image\[None\]"),
        (np.zeros((5, 5), np.complex64), "dtype complex64.*magnitude"),
        (np.array([[None]]), "dtype object.*numbers"),
    ],
)
def test_frames_that_are_no_frames(frame, words):
    with pytest.raises(ImageError, match=words):
        IntensityMap.window(0, 1)(frame)
    with pytest.raises(ImageError, match=words):
        IntensityMap.fit([frame])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: IntensityMap.window(5, 5), "empty: low must be smaller"),
        (lambda: IntensityMap.window(9, 5), "empty: low must be smaller"),
        (lambda: IntensityMap.window(0, np.inf), "finite ends"),
        (lambda: Channel(-1, 0, 1), "counts from 0"),
        (lambda: Channel(0, 0, 1, (2.0, 0.0, 0.0)), "each from 0 to 1"),
        (lambda: IntensityMap(()), "at least one channel"),
        (lambda: IntensityMap.fit([]), "0 frames"),
        (lambda: IntensityMap.fit(ramp("u1"), (99, 1)), "Percentiles rise"),
        (lambda: IntensityMap.fit(ramp("u1"), max_frames=0), "At least one frame"),
        (lambda: IntensityMap.fit(ramp("u1"), colors=RGB), r"3 color\(s\) came for 1"),
        (lambda: IntensityMap.fit(ramp("u1", shape=(2, 4, 4, 7))), "7: give `colors`"),
        (lambda: IntensityMap.fit([np.eye(4)[:, :, None].repeat(2, 2), np.eye(4)]), "make all frames alike"),
        (lambda: IntensityMap.identity()(np.eye(4)), r"reads channel 1.*has 1 channel"),
    ],
)
def test_requests_that_make_no_sense(build, words):
    with pytest.raises(ImageError, match=words):
        build()
