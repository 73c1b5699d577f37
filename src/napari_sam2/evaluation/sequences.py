"""Sequences: prompt each object once, follow it, measure how well it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_sam2.evaluation.methods import Follower, empty_labels
from napari_sam2.evaluation.metrics import DAVIS, JF, FrameRule, Labels, iou, object_scores
from napari_sam2.evaluation.objects import EVERY, Choice, Prompting, frames_with, known_frames, prompt_object
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.io.datasets import LabelledSequence
from napari_sam2.prompts import Direction, FrameIndex, ObjectId


@dataclass(frozen=True, slots=True, eq=False)
class TrackScore:
    """One object through a sequence.

    Attributes
    ----------
    sequence, object_id, prompted_on
        Which, and the frame of its prompt.
    frames
        J and F on the frames that count.
    volume
        IoU of the whole body, over all annotated frames at once.
    worst_frame, found
        The counted frame of lowest J, and what was found there.
    """

    sequence: str
    object_id: ObjectId
    prompted_on: FrameIndex
    frames: JF
    volume: float
    worst_frame: FrameIndex
    found: RunLengths


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What came out of following some objects through a sequence.

    Attributes
    ----------
    sequence
        Its name.
    known
        Frames of which the truth is known.
    truth, found
        Integers (T, H, W), the same number for the same object.
    prompted_on
        The frame of each object's prompt.
    both_ways
        Whether objects were followed backwards, too. If not, their sequence begins with their prompt, and its
        frame is the one that `FrameRule.skip_ends` leaves out.
    """

    sequence: str
    known: tuple[FrameIndex, ...]
    truth: Labels
    found: Labels
    prompted_on: dict[ObjectId, FrameIndex]
    both_ways: bool = False

    def scores(self, rule: FrameRule = DAVIS, with_f: bool = True) -> list[TrackScore]:
        """Measure every object."""
        return [self._score(number, rule, with_f) for number in self.prompted_on]

    def truth_of_followed(self) -> Labels:
        """Return the truth of the prompted objects alone, integers (T, H, W)."""
        return np.where(np.isin(self.truth, list(self.prompted_on)), self.truth, 0)

    def _score(self, number: ObjectId, rule: FrameRule, with_f: bool) -> TrackScore:
        at, known = self.prompted_on[number], list(self.known)
        volume = iou(self.truth[known] == number, self.found[known] == number)
        own = [frame for frame in known if self.both_ways or frame >= at]
        measured = object_scores(self.truth, self.found, number, rule, own, with_f)
        worst = measured.frames[int(np.argmin(measured.j))] if measured.frames else at
        found = RunLengths.encode(self.found[worst] == number)
        return TrackScore(self.sequence, number, at, measured, volume, worst, found)


def from_first_frame(
    follower: Follower,
    sequence: LabelledSequence,
    prompting: Prompting = Prompting.CLICK_1,
    choice: Choice = EVERY,
    advance: Callable[[], object] = lambda: None,
) -> Followed:
    """Prompt each object on the first annotated frame that holds it, and follow all forward, once.

    The semi-supervised protocol (SAM 2 paper, section 6.1). Objects that appear later join when they do, as
    in a video of their own that begins there.

    Parameters
    ----------
    advance
        Called after each frame.

    Returns
    -------
    Followed
        Without any object if none was chosen.
    """
    return _follow(follower, sequence, prompting, choice, False, advance)


def from_middle_slice(
    follower: Follower,
    sequence: LabelledSequence,
    prompting: Prompting = Prompting.CLICK_1,
    choice: Choice = EVERY,
    advance: Callable[[], object] = lambda: None,
) -> Followed:
    """Prompt each body on the middle one of its slices, and follow it both ways.

    The backward pass only takes pixels that the forward pass left free, as in ``track --both-ways``.

    Parameters
    ----------
    advance
        Called after each slice of either pass.

    Returns
    -------
    Followed
        Without any object if none was chosen.
    """
    return _follow(follower, sequence, prompting, choice, True, advance)


def _follow(
    follower: Follower,
    sequence: LabelledSequence,
    prompting: Prompting,
    choice: Choice,
    both_ways: bool,
    advance: Callable[[], object],
) -> Followed:
    images, truth = sequence.read()
    known = known_frames(sequence, len(truth))
    chosen = choice.of(truth[list(known)])
    found, prompted_on = empty_labels(truth.shape, chosen), dict[ObjectId, FrameIndex]()
    if not chosen:
        return Followed(sequence.name, known, truth, found, prompted_on, both_ways)
    follower.start(images)
    for number in chosen:
        frames = frames_with(truth, number, known)
        at = frames[len(frames) // 2] if both_ways else frames[0]
        prompt_object(follower, at, number, truth[at] == number, prompting)
        prompted_on[number] = at
    for result in follower.propagate():
        found[result.frame] = result.labels
        advance()
    if both_ways:
        for result in follower.propagate(direction=Direction.BACKWARD):
            kept = found[result.frame]
            found[result.frame] = np.where(kept == 0, result.labels, kept)
            advance()
    return Followed(sequence.name, known, truth, found, prompted_on, both_ways)
