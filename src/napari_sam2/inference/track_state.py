"""Everything that is known of one video while it is tracked: plain data, no network inside."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_sam2.errors import PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embeddings import EmbeddingCache, FrameSource
from napari_sam2.inference.masklet import Masklet
from napari_sam2.inference.memory_bank import MemoryBank
from napari_sam2.inference.records import RecordKey, RecordStore
from napari_sam2.prompts import Direction, FrameIndex, ObjectId, PromptSet


@dataclass(slots=True)
class ObjectTrack:
    """One object: what the user said, what is remembered, what was found.

    Attributes
    ----------
    prompts
        By frame.
    bank
        Memories that frames look at.
    fresh_prompted, fresh_tracked
        Results of prompts since the last propagation, which have no memory yet: those that will anchor the
        object, and those that will not.
    passed
        Frames that propagation went over, and which way it last did.
    masklet
        The masks.
    """

    prompts: dict[FrameIndex, PromptSet] = field(default_factory=dict)
    bank: MemoryBank = field(default_factory=MemoryBank)
    fresh_prompted: dict[FrameIndex, RecordKey] = field(default_factory=dict)
    fresh_tracked: dict[FrameIndex, RecordKey] = field(default_factory=dict)
    passed: dict[FrameIndex, Direction] = field(default_factory=dict)
    masklet: Masklet = field(default_factory=Masklet)

    @property
    def anchor(self) -> FrameIndex | None:
        """The first prompted frame."""
        return min(self.bank.prompted, default=None)

    def fresh(self, prompted: bool) -> dict[FrameIndex, RecordKey]:
        """Return the results without memory of one kind."""
        return self.fresh_prompted if prompted else self.fresh_tracked

    def record_at(self, frame: FrameIndex, prompted: bool) -> RecordKey | None:
        """Return the newest result of a frame, looking first at fresh ones of one kind."""
        return self.fresh(prompted).get(frame, self.bank.at(frame))

    def reaches(self, frame: FrameIndex, direction: Direction) -> bool:
        """Whether a prompted frame lies at or behind `frame` on the way."""
        return any((frame - at) * direction.step >= 0 for at in self.bank.prompted)


@dataclass(slots=True)
class TrackState:
    """One video.

    Attributes
    ----------
    frames
        Read lazily, one at a time.
    intensity
        From pixels to what the network sees, one mapping for all frames.
    shape
        (H, W).
    objects
        In the order in which they were added.
    """

    frames: FrameSource
    intensity: IntensityMap
    shape: tuple[int, int]
    records: RecordStore
    embeddings: EmbeddingCache
    objects: dict[ObjectId, ObjectTrack] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def check_frame(self, frame: FrameIndex) -> None:
        """Raise `PromptError` unless the video has such a frame."""
        if not 0 <= frame < self.length:
            raise PromptError(
                f"There is no frame {frame}: the sequence has {self.length}, numbered 0 to {self.length - 1}."
            )

    def track(self, object_id: ObjectId) -> ObjectTrack:
        """Return an object, or raise `PromptError` if it is not known."""
        try:
            return self.objects[object_id]
        except KeyError:
            known = ", ".join(map(str, self.objects)) or "none yet"
            raise PromptError(f"There is no object {object_id}; known are: {known}.") from None

    def put(self, place: dict[FrameIndex, RecordKey], frame: FrameIndex, record: RecordKey) -> None:
        """Store a record in one of an object's tables; the one it replaces is dropped."""
        old = place.get(frame)
        place[frame] = record
        if old is not None:
            self.records.drop_record(old)

    def drop(self, place: dict[FrameIndex, RecordKey], frame: FrameIndex) -> None:
        """Drop a record from one of an object's tables, if it is there."""
        old = place.pop(frame, None)
        if old is not None:
            self.records.drop_record(old)
