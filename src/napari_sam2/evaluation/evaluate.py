"""One protocol over a data set, for the network and beside it for what a user would do without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.baselines import CarriedByOverlap, OtsuPredictor
from napari_sam2.evaluation.clicks import ImagePrompts, ImageScore, click_through
from napari_sam2.evaluation.extras import need, there_is
from napari_sam2.evaluation.interactive import ROUNDS, offline, online
from napari_sam2.evaluation.methods import Focused, Follower, Predictor, Tracked, WholeImage
from napari_sam2.evaluation.metrics import DAVIS, FrameRule
from napari_sam2.evaluation.objects import Choice, Prompting
from napari_sam2.evaluation.sequences import from_first_frame, from_middle_slice
from napari_sam2.evaluation.summary import of_images, of_rounds, of_tracks
from napari_sam2.evaluation.values import BASELINE, MODEL, Evaluation
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.datasets import LabelledSequence
from napari_sam2.model.sam2 import SAM2

Advance = Callable[[], object]


class EvaluationProtocol(Enum):
    """What is done with each object."""

    CLICKS = "clicks"
    FIRST_FRAME = "first-frame"
    MIDDLE_SLICE = "middle-slice"
    OFFLINE = "offline"
    ONLINE = "online"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a protocol is run.

    Attributes
    ----------
    prompting
        First prompt of each object in a sequence (first-frame and middle-slice).
    image_prompts
        What is tried on images (clicks).
    choice
        Which objects, of each image or sequence.
    rule
        Which frames count.
    rounds
        Corrected frames at the most (offline and online).
    focus
        Look at images through windows that fit, or at the whole image at once (clicks).
    baseline
        Measure the classical way, too.
    policy
        How the network follows objects.
    """

    prompting: Prompting = Prompting.CLICK_1
    image_prompts: ImagePrompts = field(default_factory=ImagePrompts)
    choice: Choice = field(default_factory=Choice)
    rule: FrameRule = DAVIS
    rounds: int = ROUNDS
    focus: bool = True
    baseline: bool = True
    policy: TrackingPolicy = field(default_factory=TrackingPolicy)


USUAL = Settings()


def evaluate(
    model: SAM2,
    sequences: Sequence[LabelledSequence],
    protocol: EvaluationProtocol,
    settings: Settings = USUAL,
    advance: Advance = lambda: None,
) -> Evaluation:
    """Measure a model on annotated sequences.

    Parameters
    ----------
    advance
        Called after each object of an image, and each frame that objects were followed through.

    Raises
    ------
    PromptError
        If no sequence suits the protocol, or none holds an object.
    Sam2Error
        If the baseline is wanted and scikit-image is not installed.
    """
    if settings.baseline:
        need("skimage", "The baselines", "or leave them out")
    suited = suited_to(protocol, sequences)
    if protocol is EvaluationProtocol.CLICKS:
        return _images(model, suited, settings, advance)
    followers: dict[str, Follower] = {MODEL: Tracked(model, settings.policy)}
    if settings.baseline:
        followers[BASELINE] = CarriedByOverlap()
    if protocol in (EvaluationProtocol.OFFLINE, EvaluationProtocol.ONLINE):
        return _interactive(followers, suited, protocol, settings, advance)
    bodies = protocol is EvaluationProtocol.MIDDLE_SLICE
    follow = from_middle_slice if bodies else from_first_frame
    followed = {
        name: [follow(follower, one, settings.prompting, settings.choice, advance) for one in suited]
        for name, follower in followers.items()
    }
    _some([number for one in followed[MODEL] for number in one.prompted_on])
    movies = (
        frozenset(s.name for s in suited if s.kind == "movie") if there_is("ctc_metrics") else frozenset()
    )
    return of_tracks(followed, settings.prompting, settings.rule, bodies, movies)


def suited_to(protocol: EvaluationProtocol, sequences: Sequence[LabelledSequence]) -> list[LabelledSequence]:
    """Return the sequences that a protocol is for: any for clicks, volumes for middle-slice, else no images.

    Raises
    ------
    PromptError
        If there is none.
    """
    if protocol is EvaluationProtocol.CLICKS:
        suited = list(sequences)
    elif protocol is EvaluationProtocol.MIDDLE_SLICE:
        suited = [s for s in sequences if s.kind == "volume"]
    else:
        suited = [s for s in sequences if s.kind != "image"]
    if not suited:
        kinds = ", ".join(sorted({s.kind for s in sequences})) or "nothing at all"
        raise PromptError(
            f"The protocol {protocol.value!r} finds nothing to work on, only: {kinds}. Choose another one: "
            "clicks for images, middle-slice for volumes, the others for all that has frames."
        )
    return suited


def _images(
    model: SAM2, sequences: Sequence[LabelledSequence], settings: Settings, advance: Advance
) -> Evaluation:
    predictors: dict[str, Predictor] = {MODEL: Focused(model) if settings.focus else WholeImage(model)}
    if settings.baseline:
        predictors[BASELINE] = OtsuPredictor()
    found: dict[str, list[ImageScore]] = {}
    for name, predictor in predictors.items():
        found[name] = []
        for sequence in sequences:
            for score in click_through(predictor, sequence, settings.image_prompts, settings.choice):
                found[name].append(score)
                advance()
    _some(found[MODEL])
    return of_images(found)


def _interactive(
    followers: dict[str, Follower],
    sequences: Sequence[LabelledSequence],
    protocol: EvaluationProtocol,
    settings: Settings,
    advance: Advance,
) -> Evaluation:
    run = offline if protocol is EvaluationProtocol.OFFLINE else online
    found = {
        name: [
            score
            for one in sequences
            for score in run(follower, one, settings.choice, settings.rounds, settings.rule, advance)
        ]
        for name, follower in followers.items()
    }
    _some(found[MODEL])
    return of_rounds(found, settings.rounds)


def _some(scores: Sequence[object]) -> None:
    if not scores:
        raise PromptError("There is no object of the wanted size in the data: allow smaller ones.")
