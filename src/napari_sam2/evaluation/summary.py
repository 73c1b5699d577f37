"""From scores of single objects to the table, the curves and the cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from napari_sam2.evaluation.clicks import ImageScore, worse
from napari_sam2.evaluation.interactive import InteractiveScore
from napari_sam2.evaluation.metrics import DAVIS, FrameRule, dataset_mean, mean
from napari_sam2.evaluation.objects import Prompting
from napari_sam2.evaluation.sequences import Followed, TrackScore
from napari_sam2.evaluation.tracking import tracking_score
from napari_sam2.evaluation.values import BASELINE, MODEL, Case, Curve, Evaluation, Line, Measured, Row

S = TypeVar("S")


def of_images(found: Mapping[str, Sequence[ImageScore]]) -> Evaluation:
    """Sum up the scores of each method on images, of the same objects and prompts."""
    clicks = len(found[MODEL][0].clicks)
    rows = []
    for k in range(clicks):
        after = f"IoU after {k + 1} click{'s' * (k > 0)}"
        rows.append(_row(after, found, lambda own, k=k: mean(s.clicks[k] for s in own)))  # type: ignore[misc]
    if found[MODEL][0].box is not None:
        rows.append(_row("IoU from a box", found, lambda own: mean(s.box for s in own if s.box is not None)))
    if found[MODEL][0].mask is not None:
        rows.append(
            _row("IoU from the mask", found, lambda own: mean(s.mask for s in own if s.mask is not None))
        )
    if clicks >= 3:
        rows.append(_row("share worse after 3 clicks than after 1", found, worse))
    steps = tuple(float(k + 1) for k in range(clicks))
    lines = {
        name: Line(steps, tuple(mean(s.clicks[k] for s in own) for k in range(clicks)))
        for name, own in found.items()
    }
    curve = Curve("clicks", "Quality against clicks", "clicks", "mean IoU", lines)
    measured = tuple(m for name, own in found.items() for s in own for m in _image_values(name, s))
    cases = tuple(Case(s.sequence, s.frame, s.object_id, s.last, s.found) for s in found[MODEL])
    return Evaluation(tuple(rows), measured, (curve,) if clicks else (), cases)


def of_tracks(
    followed: Mapping[str, Sequence[Followed]],
    prompting: Prompting,
    rule: FrameRule = DAVIS,
    bodies: bool = False,
    movies: frozenset[str] = frozenset(),
) -> Evaluation:
    """Sum up what each method made of the same sequences.

    Parameters
    ----------
    bodies
        Whether the sequences are volumes, whose bodies have an IoU as a whole.
    movies
        Sequences to give the Cell Tracking Challenge's scores for; this needs py-ctcmetrics.
    """
    found = {name: [s for one in own for s in one.scores(rule)] for name, own in followed.items()}
    prompt = prompting.value
    rows = []
    if bodies:
        rows.append(_row(f"3D IoU, {prompt}", found, lambda own: mean(s.volume for s in own)))
    rows += [
        _row(f"J, {prompt}", found, lambda own: dataset_mean([s.frames for s in own]).mean_j),
        _row(f"F, {prompt}", found, lambda own: dataset_mean([s.frames for s in own]).mean_f),
        _row(f"J&F, {prompt}", found, lambda own: dataset_mean([s.frames for s in own]).jf),
    ]
    if movies:
        tracking = {
            name: [
                tracking_score(one.sequence, one.truth_of_followed(), one.found, one.known)
                for one in own
                if one.sequence in movies and one.prompted_on
            ]
            for name, own in followed.items()
        }
        rows.append(_row("CTC SEG", tracking, lambda own: mean(s.seg for s in own)))
        rows.append(_row("CTC TRA", tracking, lambda own: mean(s.tra for s in own)))
    measured = tuple(m for name, own in found.items() for s in own for m in _track_values(name, s, prompt))
    lines = {name: _along(own) for name, own in found.items()}
    curve = Curve("sequence", "Quality along the sequence", "frames from the prompt", "mean J", lines)
    cases = tuple(
        Case(s.sequence, s.worst_frame, s.object_id, min(s.frames.j), s.found)
        for s in found[MODEL]
        if s.frames.j
    )
    return Evaluation(tuple(rows), measured, (curve,), cases)


def of_rounds(found: Mapping[str, Sequence[InteractiveScore]], rounds: int) -> Evaluation:
    """Sum up the interactive scores of each method, of the same objects."""

    def after(own: Sequence[InteractiveScore], n: int) -> float:
        return mean(s.rounds[min(n, len(s.rounds) - 1)].jf for s in own)

    def seconds(own: Sequence[InteractiveScore], n: int) -> float:
        return mean(s.rounds[min(n, len(s.rounds) - 1)].seconds for s in own)

    rows = [
        _row(f"J&F, {n + 1} frame{'s' * (n > 0)} prompted", found, lambda own, n=n: after(own, n))  # type: ignore[misc]
        for n in range(rounds)
    ]
    rows.append(_row(f"J&F, mean over 1 to {rounds}", found, lambda own: mean(s.jf for s in own)))
    rows.append(_row(f"seconds of work, {rounds} rounds", found, lambda own: seconds(own, rounds - 1)))
    steps = range(rounds)
    frames = {
        name: Line(tuple(n + 1.0 for n in steps), tuple(after(own, n) for n in steps))
        for name, own in found.items()
    }
    time = {
        name: Line(tuple(seconds(own, n) for n in steps), tuple(after(own, n) for n in steps))
        for name, own in found.items()
    }
    curves = (
        Curve("frames", "Quality against prompted frames", "frames allowed", "J&F", frames),
        Curve("seconds", "Quality against time", "seconds of work", "J&F", time),
    )
    measured = tuple(m for name, own in found.items() for s in own for m in _round_values(name, s))
    return Evaluation(tuple(rows), measured, curves)


def _row(figure: str, found: Mapping[str, Sequence[S]], value: Callable[[Sequence[S]], float]) -> Row:
    baseline = value(found[BASELINE]) if BASELINE in found else None
    return Row(figure, len(found[MODEL]), value(found[MODEL]), baseline)


def _along(scores: Sequence[TrackScore]) -> Line:
    """Return mean J against the distance to the prompt in frames."""
    at: dict[int, list[float]] = defaultdict(list)
    for score in scores:
        for frame, j in zip(score.frames.frames, score.frames.j, strict=True):
            at[abs(frame - score.prompted_on)].append(j)
    steps = sorted(at)
    return Line(tuple(map(float, steps)), tuple(mean(at[step]) for step in steps))


def _image_values(name: str, score: ImageScore) -> Iterator[Measured]:
    values = [(f"{k}-click", value) for k, value in enumerate(score.clicks, 1)]
    values += [(p, v) for p, v in (("box", score.box), ("mask", score.mask)) if v is not None]
    for prompt, value in values:
        yield Measured(name, score.sequence, score.object_id, score.frame, prompt, "IoU", value)


def _track_values(name: str, score: TrackScore, prompt: str) -> Iterator[Measured]:
    yield Measured(name, score.sequence, score.object_id, None, prompt, "volume IoU", score.volume)
    for measure, values in (("J", score.frames.j), ("F", score.frames.f)):
        for frame, value in zip(score.frames.frames, values, strict=True):
            yield Measured(name, score.sequence, score.object_id, frame, prompt, measure, value)


def _round_values(name: str, score: InteractiveScore) -> Iterator[Measured]:
    for n, one in enumerate(score.rounds, 1):
        for measure, value in (("J", one.j), ("F", one.f), ("seconds", one.seconds), ("frames", one.frames)):
            prompt = f"{n} frame{'s' * (n > 1)} allowed"
            yield Measured(name, score.sequence, score.object_id, None, prompt, measure, value)
