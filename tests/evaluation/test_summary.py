import numpy as np
import pytest

from napari_sam2.evaluation.clicks import ImageScore
from napari_sam2.evaluation.interactive import InteractiveScore, Round
from napari_sam2.evaluation.metrics import PRESENT
from napari_sam2.evaluation.objects import Prompting
from napari_sam2.evaluation.sequences import Followed
from napari_sam2.evaluation.summary import of_images, of_rounds, of_tracks
from napari_sam2.evaluation.values import BASELINE, MODEL, Evaluation, Line
from napari_sam2.inference.masklet import RunLengths
from tests.evaluation.conftest import moving_disks


def _image(number: int, clicks: tuple[float, ...], box: float | None, mask: float | None) -> ImageScore:
    found = RunLengths.encode(np.zeros((2, 2), dtype=bool))
    return ImageScore("a", 3, number, 9, clicks, box, mask, found)


def _table(evaluation: Evaluation) -> dict[str, tuple[float, float | None]]:
    return {row.figure: (row.model, row.baseline) for row in evaluation.rows}


def test_images() -> None:
    model = [_image(1, (0.2, 0.4, 0.1), 0.5, None), _image(2, (0.4, 0.8, 0.9), 0.7, None)]
    other = [_image(1, (0.1, 0.1, 0.1), 0.3, None), _image(2, (0.3, 0.3, 0.3), 0.5, None)]
    evaluation = of_images({MODEL: model, BASELINE: other})
    assert _table(evaluation) == {
        "IoU after 1 click": pytest.approx((0.3, 0.2)),
        "IoU after 2 clicks": pytest.approx((0.6, 0.2)),
        "IoU after 3 clicks": pytest.approx((0.5, 0.2)),
        "IoU from a box": pytest.approx((0.6, 0.4)),
        "share worse after 3 clicks than after 1": (0.5, 0.0),
    }
    assert [row.count for row in evaluation.rows] == [2] * 5
    (curve,) = evaluation.curves
    assert curve.lines[MODEL].x == (1.0, 2.0, 3.0)
    assert curve.lines[MODEL].y == pytest.approx((0.3, 0.6, 0.5))
    assert [(case.object_id, case.score) for case in evaluation.worst(5)] == [(1, 0.1), (2, 0.9)]
    assert len(evaluation.worst(1)) == 1
    assert len(evaluation.measured) == 2 * 2 * 4
    first = evaluation.measured[0]
    assert (first.method, first.frame, first.prompt, first.measure, first.value) == (
        "model",
        3,
        "1-click",
        "IoU",
        0.2,
    )


def test_images_without_clicks_or_baseline() -> None:
    evaluation = of_images({MODEL: [_image(1, (), None, 0.25)]})
    assert _table(evaluation) == {"IoU from the mask": (0.25, None)}
    assert evaluation.curves == ()
    assert evaluation.worst(1)[0].score == 0.25


def test_tracks() -> None:
    _, labels = moving_disks(3)
    lost = labels.copy()
    lost[2] = 0
    lost[1:][lost[1:] == 8] = 0
    known = (0, 1, 2)

    def followed(found: np.ndarray) -> list[Followed]:
        return [Followed("a", known, labels, found, {3: 0, 8: 1}, both_ways=True)]

    evaluation = of_tracks(
        {MODEL: followed(lost), BASELINE: followed(labels)}, Prompting.BOX, PRESENT, bodies=True
    )
    # 3 is lost on one of three frames, 8 on two; bodies of equal planes lose the same shares.
    assert _table(evaluation) == {
        "3D IoU, box": pytest.approx((0.5, 1.0)),
        "J, box": pytest.approx((0.5, 1.0)),
        "F, box": pytest.approx((0.5, 1.0)),
        "J&F, box": pytest.approx((0.5, 1.0)),
    }
    (curve,) = evaluation.curves
    # From the prompt on 0: 1, 1, 0. From the prompt on 1: 0 on it, and 1 and 0 beside it, both ways.
    assert curve.lines[MODEL] == Line((0.0, 1.0, 2.0), (0.5, pytest.approx(2 / 3), 0.0))  # type: ignore[arg-type]
    assert [(case.object_id, case.frame, case.score) for case in evaluation.worst(2)] == [
        (3, 2, 0.0),
        (8, 1, 0.0),
    ]


def test_movies_have_the_challenge_scores() -> None:
    pytest.importorskip("ctc_metrics", reason="py-ctcmetrics is not installed")
    _, labels = moving_disks(3)
    one = Followed("a", (0, 1, 2), labels, np.where(labels == 3, labels, 0), {3: 0})
    other = Followed("b", (0, 1, 2), labels, labels, {3: 0})
    table = _table(of_tracks({MODEL: [one, other]}, Prompting.CLICK_1, movies=frozenset({"a"})))
    # Object 8 was not asked for: the truth does not hold it against the result.
    assert table["CTC SEG"] == (1.0, None)
    assert table["CTC TRA"] == (1.0, None)


def test_rounds() -> None:
    long = InteractiveScore("a", 1, (Round(1, 10, 0.2, 0.4), Round(2, 20, 0.6, 0.8)))
    short = InteractiveScore("b", 1, (Round(1, 6, 0.5, 0.5),))
    evaluation = of_rounds({MODEL: [long, short]}, 2)
    assert _table(evaluation) == {
        "J&F, 1 frame prompted": (pytest.approx(0.4), None),
        "J&F, 2 frames prompted": (pytest.approx(0.6), None),
        "J&F, mean over 1 to 2": (pytest.approx((0.5 + 0.5) / 2), None),
        "seconds of work, 2 rounds": (pytest.approx(13), None),
    }
    frames, seconds = evaluation.curves
    assert frames.lines[MODEL].x == (1.0, 2.0)
    assert seconds.lines[MODEL].x == pytest.approx((8.0, 13.0))
    assert seconds.lines[MODEL].y == frames.lines[MODEL].y == pytest.approx((0.4, 0.6))
    assert {m.prompt for m in evaluation.measured} == {"1 frame allowed", "2 frames allowed"}
