"""Where the frames of a video are: their times, and from where they can be decoded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Packet(Protocol):
    """What a container holds of one frame."""

    @property
    def pts(self) -> int | None: ...
    @property
    def dts(self) -> int | None: ...
    @property
    def size(self) -> int: ...
    @property
    def is_keyframe(self) -> bool: ...
    @property
    def is_corrupt(self) -> bool: ...
    @property
    def is_discard(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class VideoIndex:
    """The frames of a video in the order in which they are shown.

    Attributes
    ----------
    times
        Of presentation, in units of the stream, rising; frame `i` is shown at `times[i]`. Where they cannot
        be relied on, they are the numbers of the frames.
    starts
        Times at which decoding may start, rising; some may be of hidden frames. Only that of the first frame
        where times are numbers.
    timed
        Whether times are those of the stream. Else frames are found by counting from the start.
    cut
        How many packets are there in part.
    hidden
        How many are decoded and not shown: an edit list leaves them out.
    decoded
        The last time of decoding, in units of the stream; None where none is known.
    """

    times: tuple[int, ...]
    starts: tuple[int, ...]
    timed: bool
    cut: int = 0
    hidden: int = 0
    decoded: int | None = None

    @classmethod
    def of(cls, packets: Iterable[Packet], reordered_times: bool = True) -> VideoIndex:
        """Make the index of a stream.

        Parameters
        ----------
        packets
            In the order in which they are stored.
        reordered_times
            Whether the container tells the time of presentation even where frames are stored in another
            order. AVI does not: there, times are relied on only where both orders agree.
        """
        whole = []
        starts = set()
        cut, hidden, decoded = 0, 0, None
        for packet in packets:
            if packet.size == 0:  # the end, or a frame of which nothing was recorded
                continue
            hidden += packet.is_discard
            cut += packet.is_corrupt
            if not packet.is_corrupt:
                decoded = packet.dts if decoded is None else max(decoded, packet.dts or 0)
                if packet.is_keyframe and packet.pts is not None:
                    starts.add(packet.pts)
            if not (packet.is_discard or packet.is_corrupt):
                whole.append((packet.pts, packet.dts))
        times = sorted(pts for pts, _ in whole if pts is not None)
        timed = len(set(times)) == len(whole) and (reordered_times or all(pts == dts for pts, dts in whole))
        if not timed:
            return cls(tuple(range(len(whole))), (0,), False, cut, hidden, decoded)
        return cls(tuple(times), tuple(sorted(starts)) or tuple(times[:1]), True, cut, hidden, decoded)

    def __len__(self) -> int:
        return len(self.times)

    def start_of(self, frame: int, before: int = 0) -> int:
        """Return the time from which a frame is decoded, or that of as many starts before it."""
        return self.starts[max(0, bisect_right(self.starts, self.times[frame]) - 1 - before)]
