"""Reading ahead: the same frames, in time, within bounds, with errors where they belong."""

import threading

import numpy as np
import pytest

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import Frames
from napari_sam2.io.read_ahead import ReadAhead
from napari_sam2.session.image import arrange

ARRAY = np.arange(10 * 4 * 5).reshape(10, 4, 5)


class Source:
    """Frames that tell what was read and on which thread; frame 6 is broken."""

    def __init__(self, broken=()):
        self.read = []
        self.threads = set()
        self.arrived = threading.Condition()
        self.closed = 0
        self.broken = broken
        self.frames = Frames("a", ARRAY.shape, ARRAY.dtype, self.fetch, self.close)

    def fetch(self, i):
        with self.arrived:
            self.read.append(i)
            self.threads.add(threading.current_thread().name)
            self.arrived.notify_all()
        if i in self.broken:
            raise StorageError(f"frame {i} is broken")
        return ARRAY[i]

    def close(self):
        self.closed += 1

    def wait_for(self, frames):
        with self.arrived:
            assert self.arrived.wait_for(lambda: set(frames) <= set(self.read), timeout=10), self.read


def test_frames_come_in_any_order():
    order = [0, 1, 2, 9, 8, 7, 3, 3, 5, 0, -1]
    with ReadAhead(Source().frames, ahead=3) as frames:
        assert (frames.shape, frames.dtype, len(frames), frames.name) == (ARRAY.shape, ARRAY.dtype, 10, "a")
        for i in order:
            assert np.array_equal(frames[i], ARRAY[i])
        assert np.array_equal(np.stack(list(frames)), ARRAY)


def test_the_next_frames_are_read_meanwhile_and_no_more():
    source = Source()
    with ReadAhead(source.frames, ahead=2) as frames:
        frames[0]
        source.wait_for({0, 1, 2})
        assert source.read == [0, 1, 2]
        frames[1]
        source.wait_for({3})
        assert source.read == [0, 1, 2, 3]
        assert all(name.startswith("read-ahead") for name in source.threads)


def test_it_turns_around():
    source = Source()
    with ReadAhead(source.frames, ahead=2) as frames:
        frames[9]
        frames[8]
        source.wait_for({9, 8, 7, 6})
        assert sorted(source.read) == [6, 7, 8, 9]


def test_an_error_is_raised_at_its_frame_and_not_before():
    source = Source(broken=(6,))
    with ReadAhead(source.frames, ahead=2) as frames:
        for i in (4, 5):
            assert np.array_equal(frames[i], ARRAY[i])
        source.wait_for({6, 7})
        with pytest.raises(StorageError, match="frame 6 is broken"):
            frames[6]
        assert np.array_equal(frames[7], ARRAY[7])
        with pytest.raises(IndexError, match="no frame 10"):
            frames[10]


def test_closing_stops_the_thread_and_closes_the_frames():
    source = Source()
    frames = ReadAhead(source.frames, ahead=4)
    frames[0]
    thread = next(t for t in threading.enumerate() if t.name.startswith("read-ahead"))
    frames.close()
    frames.close()
    assert not thread.is_alive()
    assert source.closed == 1
    with pytest.raises(StorageError, match="closed: open it again"):
        frames[1]


def test_closing_before_anything_was_read():
    source = Source()
    ReadAhead(source.frames).close()
    assert source.closed == 1
    assert source.read == []


def test_a_session_takes_it_for_frames():
    with ReadAhead(Source().frames) as frames:
        arranged, axis = arrange(frames, "ZYX")
        assert (arranged, axis) == (frames, "Z")


def test_at_least_one_frame_ahead():
    with pytest.raises(ImageError, match="give 1 or more"):
        ReadAhead(Source().frames, ahead=0)
