"""Correcting a whole video, and what it costs in a user's time (SAM 2 paper, section 6.1 and appendix F.1.2).

Offline: look at the whole result, correct the worst frame, run again. Online: watch it being made, stop where
it fails, correct, go on. Objects are handled one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from napari_sam2.evaluation.methods import Follower, Image
from napari_sam2.evaluation.metrics import DAVIS, FrameRule, Labels, iou, mean, object_scores
from napari_sam2.evaluation.objects import EVERY, Choice, click_on, frames_with, known_frames
from napari_sam2.io.datasets import LabelledSequence
from napari_sam2.prompts import FrameIndex, ObjectId

CLICKS = 3
"""Clicks on every corrected frame."""

ROUNDS = 8
"""Corrected frames at the most, the first prompted one included."""

FAILED = 0.75
"""The IoU below which an online user stops and corrects."""

_FIND, _CLICK, _EXAMINE = 1.0, 1.5, 30.0 / 300
"""Seconds to find an object, to click, and to look at one frame of a result."""

_NUMBER = 1


@dataclass(frozen=True, slots=True)
class Round:
    """J, F and seconds of work after so many frames were prompted or corrected."""

    frames: int
    seconds: float
    j: float
    f: float

    @property
    def jf(self) -> float:
        """The mean of J and F."""
        return (self.j + self.f) / 2


@dataclass(frozen=True, slots=True)
class InteractiveScore:
    """One object: round n was allowed n frames; fewer were needed where `Round.frames` says so."""

    sequence: str
    object_id: ObjectId
    rounds: tuple[Round, ...]

    @property
    def jf(self) -> float:
        """The figure that the paper compares: J&F, its mean over the rounds."""
        return mean(r.jf for r in self.rounds)


def offline_seconds(length: int, frames: int, clicks: int = CLICKS) -> float:
    """Return the time for `frames` corrected frames in a video of `length`, looked through before each."""
    return (length * _EXAMINE + _FIND + _CLICK * clicks) * frames


def online_seconds(length: int, frames: int, clicks: int = CLICKS) -> float:
    """Return the time for `frames` corrected frames in a video of `length` that is watched once."""
    return length * _EXAMINE + (_FIND + _CLICK * clicks) * frames


def offline(
    follower: Follower,
    sequence: LabelledSequence,
    choice: Choice = EVERY,
    rounds: int = ROUNDS,
    rule: FrameRule = DAVIS,
    advance: Callable[[], object] = lambda: None,
) -> Iterator[InteractiveScore]:
    """Correct the frame of lowest IoU after each pass, then follow the object through all frames again.

    A frame is corrected once at the most, so that short videos may end before `rounds`.

    Parameters
    ----------
    advance
        Called after each frame of each pass.
    """
    for video in _videos(follower, sequence, choice, rule, advance):
        follower.restart()
        at = video.first
        found, done, corrected = video.nothing(), [], set[FrameIndex]()
        for _ in range(rounds):
            click_on(follower, at, _NUMBER, video.truth[at] == _NUMBER, found[at] == _NUMBER, CLICKS)
            corrected.add(at)
            found = video.nothing()
            for result in follower.propagate():
                found[result.frame] = result.labels
                advance()
            seconds = offline_seconds(video.length, len(corrected))
            done.append(video.measure(found, len(corrected), seconds))
            left = [frame for frame in video.known if frame > video.first and frame not in corrected]
            if not left:
                break
            at = min(left, key=lambda frame: video.overlap(found, frame))
        yield InteractiveScore(sequence.name, video.object_id, tuple(done))


def online(
    follower: Follower,
    sequence: LabelledSequence,
    choice: Choice = EVERY,
    rounds: int = ROUNDS,
    rule: FrameRule = DAVIS,
    advance: Callable[[], object] = lambda: None,
) -> Iterator[InteractiveScore]:
    """Follow the object once, and correct it on the way where its IoU falls below `FAILED`.

    Frames before a correction keep their results. Each round is a pass of its own with one correction more.

    Parameters
    ----------
    advance
        Called after each frame of each pass.
    """
    for video in _videos(follower, sequence, choice, rule, advance):
        done: list[Round] = []
        for allowed in range(1, rounds + 1):
            if done and done[-1].frames < allowed - 1:
                # The last pass needed fewer than it was allowed: one more changes nothing.
                done.append(done[-1])
                continue
            follower.restart()
            found, frames = _online_pass(follower, video, allowed, advance)
            done.append(video.measure(found, frames, online_seconds(video.length, frames)))
        yield InteractiveScore(sequence.name, video.object_id, tuple(done))


@dataclass(frozen=True, slots=True, eq=False)
class _Video:
    """One object's video: from its first frame on, numbered 1, all else background."""

    object_id: ObjectId
    truth: Labels
    known: tuple[FrameIndex, ...]
    first: FrameIndex
    rule: FrameRule

    @property
    def length(self) -> int:
        return len(self.truth) - self.first

    def nothing(self) -> Labels:
        return np.zeros(self.truth.shape, np.uint8)

    def overlap(self, found: Labels, frame: FrameIndex) -> float:
        return iou(self.truth[frame] == _NUMBER, found[frame] == _NUMBER)

    def measure(self, found: Labels, frames: int, seconds: float) -> Round:
        known = [frame for frame in self.known if frame >= self.first]
        scores = object_scores(self.truth, found, _NUMBER, self.rule, known)
        return Round(frames, seconds, scores.mean_j, scores.mean_f)


def _videos(
    follower: Follower,
    sequence: LabelledSequence,
    choice: Choice,
    rule: FrameRule,
    advance: Callable[[], object],
) -> Iterator[_Video]:
    images: Image
    images, labels = sequence.read()
    known = known_frames(sequence, len(labels))
    follower.start(images)
    for number in choice.of(labels[list(known)]):
        first = frames_with(labels, number, known)[0]
        yield _Video(number, (labels == number).astype(np.uint8), known, first, rule)


def _online_pass(
    follower: Follower, video: _Video, allowed: int, advance: Callable[[], object]
) -> tuple[Labels, int]:
    """Return what is found with so many corrected frames at the most, and how many it took."""
    found, known = video.nothing(), set(video.known)
    true = video.truth == _NUMBER
    at: FrameIndex | None = video.first
    frames = 0
    while at is not None:
        click_on(follower, at, _NUMBER, true[at], found[at] == _NUMBER, CLICKS)
        frames += 1
        start, at = at, None
        # Close the pass at a failed frame, correct there, and go on from it.
        for result in follower.propagate(start):
            found[result.frame] = result.labels
            advance()
            failed = result.frame in known and video.overlap(found, result.frame) < FAILED
            if failed and result.frame > start and frames < allowed:
                at = result.frame
                break
    return found, frames
