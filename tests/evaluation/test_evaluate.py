from dataclasses import replace

import numpy as np
import pytest

from napari_sam2.errors import PromptError, Sam2Error
from napari_sam2.evaluation import extras
from napari_sam2.evaluation.clicks import ImagePrompts
from napari_sam2.evaluation.evaluate import EvaluationProtocol, Settings, evaluate
from napari_sam2.evaluation.objects import Choice, Prompting
from napari_sam2.io.datasets import SequenceKind
from napari_sam2.model.sam2 import SAM2
from tests.evaluation.conftest import moving_disks, sequence_of

KINDS: dict[EvaluationProtocol, SequenceKind] = {
    EvaluationProtocol.CLICKS: "image",
    EvaluationProtocol.FIRST_FRAME: "video",
    EvaluationProtocol.MIDDLE_SLICE: "volume",
    EvaluationProtocol.OFFLINE: "movie",
    EvaluationProtocol.ONLINE: "movie",
}
SETTINGS = Settings(Prompting.BOX, ImagePrompts(2, True, True), Choice(most=1), rounds=2)


@pytest.mark.parametrize(
    ("protocol", "figures"),
    [
        (
            EvaluationProtocol.CLICKS,
            ["IoU after 1 click", "IoU after 2 clicks", "IoU from a box", "IoU from the mask"],
        ),
        (EvaluationProtocol.FIRST_FRAME, ["J, box", "F, box", "J&F, box"]),
        (EvaluationProtocol.MIDDLE_SLICE, ["3D IoU, box", "J, box", "F, box", "J&F, box"]),
        (
            EvaluationProtocol.OFFLINE,
            [
                "J&F, 1 frame prompted",
                "J&F, 2 frames prompted",
                "J&F, mean over 1 to 2",
                "seconds of work, 2 rounds",
            ],
        ),
        (
            EvaluationProtocol.ONLINE,
            [
                "J&F, 1 frame prompted",
                "J&F, 2 frames prompted",
                "J&F, mean over 1 to 2",
                "seconds of work, 2 rounds",
            ],
        ),
    ],
    ids=lambda value: value.value if isinstance(value, EvaluationProtocol) else "",
)
def test_every_protocol(protocol: EvaluationProtocol, figures: list[str], small_model: SAM2) -> None:
    images, labels = moving_disks(3)
    sequence = sequence_of(images, labels, KINDS[protocol])
    steps = []
    evaluation = evaluate(small_model, [sequence], protocol, SETTINGS, lambda: steps.append(1))
    assert [row.figure for row in evaluation.rows] == figures
    # One object a sequence, drawn anew on each of three images.
    assert {row.count for row in evaluation.rows} == {3 if protocol is EvaluationProtocol.CLICKS else 1}
    assert steps
    assert {m.method for m in evaluation.measured} == {"model", "baseline"}
    quality = [row for row in evaluation.rows if not row.figure.startswith("seconds")]
    assert all(row.baseline is not None and 0.8 < row.baseline <= 1 for row in quality)
    assert all(0 <= row.model <= 1 for row in quality)
    alone = evaluate(small_model, [sequence], protocol, replace(SETTINGS, baseline=False))
    assert [row.baseline for row in alone.rows] == [None] * len(figures)
    assert [row.model for row in alone.rows] == pytest.approx([row.model for row in evaluation.rows])


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [
        (EvaluationProtocol.FIRST_FRAME, "image"),
        (EvaluationProtocol.MIDDLE_SLICE, "movie"),
        (EvaluationProtocol.ONLINE, "image"),
    ],
)
def test_data_that_do_not_suit(protocol: EvaluationProtocol, kind: SequenceKind, small_model: SAM2) -> None:
    sequence = sequence_of(*moving_disks(3), kind=kind)
    with pytest.raises(PromptError, match=rf"'{protocol.value}' finds nothing to work on, only: {kind}\."):
        evaluate(small_model, [sequence], protocol)


@pytest.mark.parametrize("protocol", list(EvaluationProtocol))
def test_objects_that_are_too_small(protocol: EvaluationProtocol, small_model: SAM2) -> None:
    sequence = sequence_of(*moving_disks(3), kind=KINDS[protocol])
    with pytest.raises(PromptError, match="allow smaller ones"):
        evaluate(small_model, [sequence], protocol, Settings(choice=Choice(least=10**6)))


def test_sequences_without_objects_are_passed_over(small_model: SAM2) -> None:
    images, labels = moving_disks(3)
    sequences = [
        sequence_of(images, np.zeros_like(labels), name="empty"),
        sequence_of(images, labels, name="full"),
    ]
    evaluation = evaluate(small_model, sequences, EvaluationProtocol.FIRST_FRAME, SETTINGS)
    assert {m.sequence for m in evaluation.measured} == {"full"}
    assert evaluation.rows[0].count == 1


def test_challenge_scores_only_with_the_library(small_model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ctc_metrics", reason="py-ctcmetrics is not installed")
    sequence = sequence_of(*moving_disks(3), kind="movie")
    settings = replace(SETTINGS, baseline=False)
    figures = [
        r.figure for r in evaluate(small_model, [sequence], EvaluationProtocol.FIRST_FRAME, settings).rows
    ]
    assert figures[-2:] == ["CTC SEG", "CTC TRA"]
    monkeypatch.setattr("napari_sam2.evaluation.evaluate.there_is", lambda _: False)
    figures = [
        r.figure for r in evaluate(small_model, [sequence], EvaluationProtocol.FIRST_FRAME, settings).rows
    ]
    assert "CTC SEG" not in figures


def test_without_scikit_image(small_model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    sequence = sequence_of(*moving_disks(3), kind="image")
    with pytest.raises(Sam2Error, match=r"scikit-image: install it .*, or leave them out"):
        evaluate(small_model, [sequence], EvaluationProtocol.CLICKS)
    without = evaluate(small_model, [sequence], EvaluationProtocol.CLICKS, replace(SETTINGS, baseline=False))
    assert without.rows
