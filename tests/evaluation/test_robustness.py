"""What corruptions cost: measured on the same objects, told as a table."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import ImageError, PromptError, StorageError
from napari_sam2.evaluation import robustness as module
from napari_sam2.evaluation.clicks import ImagePrompts
from napari_sam2.evaluation.distance import FeatureSpace, minimal_sample_distance
from napari_sam2.evaluation.evaluate import EvaluationProtocol, Settings, evaluate
from napari_sam2.evaluation.objects import Choice, Prompting
from napari_sam2.evaluation.robustness import (
    Drop,
    corruptions_named,
    headline,
    robustness,
    spoil,
    table,
    write,
)
from napari_sam2.evaluation.values import Evaluation, Row
from napari_sam2.imaging.corruptions import Corruption
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io.datasets import LabelledSequence
from napari_sam2.model.sam2 import SAM2

NUCLEI = moving_nuclei(6, 64, 72, objects=3, divisions=0, radius=7.0, seed=2)
MOVIE = LabelledSequence("movie", "movie", lambda: (NUCLEI.images, NUCLEI.labels))
IMAGE = LabelledSequence("image", "image", lambda: (NUCLEI.images[:1], NUCLEI.labels[:1]))
FIRST = EvaluationProtocol.FIRST_FRAME


MISSING = Corruption.MISSING.value


def eight_bits(sequence: LabelledSequence) -> LabelledSequence:
    return spoil(sequence, None, 1)


def test_a_movie(small_model: SAM2) -> None:
    settings = Settings(prompting=Prompting.MASK, choice=Choice(most=1))
    frames: list[None] = []
    wanted = [Corruption.SHOT_NOISE, Corruption.MISSING]
    drops = list(
        robustness(small_model, [MOVIE], FIRST, settings, wanted, [1, 5], advance=lambda: frames.append(None))
    )
    figures = {drop.figure for drop in drops}
    assert {"J, mask", "F, mask", "J&F, mask"} <= figures
    assert len(drops) == len(figures) * 2 * 2
    assert {drop.count for drop in drops if drop.figure.startswith("J")} == {1}
    # Clean, two of shot noise, and two with lost frames, whose others are judged on clean recordings, too.
    assert len(frames) == (1 + 2 + 2 * 2) * 6
    for figure in figures:
        own = [drop for drop in drops if drop.figure == figure]
        assert own[0].clean == own[1].clean
    spoilt = spoil(MOVIE, Corruption.MISSING, 5)
    partly = replace(MOVIE, annotated=spoilt.annotated)
    figure = "J&F, mask"
    (alone,) = [
        drop for drop in drops if (drop.corruption, drop.severity, drop.figure) == (MISSING, 5, figure)
    ]
    (fair,) = [
        row
        for row in evaluate(small_model, [eight_bits(partly)], FIRST, replace(settings, baseline=False)).rows
        if row.figure == figure
    ]
    assert alone.clean == fair.model


def test_drops_are_those_of_evaluate(small_model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def fake(model: SAM2, sequences: list[LabelledSequence], *rest: object) -> Evaluation:
        images, labels = sequences[0].read()
        seen.append(labels)
        return Evaluation((Row("J", 2, float(images.std())),), (), ())

    monkeypatch.setattr(module, "evaluate", fake)
    choice = Choice(most=2, seed=1)
    (drop,) = robustness(small_model, [MOVIE], FIRST, Settings(choice=choice), [Corruption.CONTRAST], [4])
    assert (drop.corruption, drop.severity, drop.count) == ("low contrast", 4, 2)
    assert drop.drop == drop.clean - drop.spoilt
    assert drop.clean > 2 * drop.spoilt
    for labels in seen:
        assert sorted(np.unique(labels)) == [0, *choice.of(NUCLEI.labels)], "the same objects each time"


def test_images_leave_out_what_needs_frames(small_model: SAM2) -> None:
    settings = Settings(image_prompts=ImagePrompts(1, box=False), choice=Choice(most=1), focus=False)
    clicks = EvaluationProtocol.CLICKS
    wanted = [Corruption.DRIFT, Corruption.DEFOCUS, Corruption.MISSING]
    drops = list(robustness(small_model, [IMAGE], clicks, settings, wanted, [3]))
    assert [(drop.corruption, drop.figure) for drop in drops] == [("defocus", "IoU after 1 click")]
    assert list(robustness(small_model, [IMAGE], clicks, settings, [Corruption.DRIFT], [3])) == []


def test_what_makes_no_sense(small_model: SAM2) -> None:
    with pytest.raises(PromptError, match="nothing to work on"):
        list(robustness(small_model, [IMAGE], FIRST))
    with pytest.raises(ImageError, match="from 1 to 5"):
        settings = Settings(choice=Choice(most=1))
        list(robustness(small_model, [MOVIE], FIRST, settings, [Corruption.MOTION], [7]))


def test_lost_frames_are_not_judged() -> None:
    found = spoil(MOVIE, Corruption.MISSING, 5)
    images, _ = found.read()
    assert found.annotated is not None
    dark = {t for t in range(6) if images[t].mean() < 10}
    assert dark
    assert set(found.annotated) == set(range(6)) - dark
    assert spoil(MOVIE, Corruption.DEFOCUS, 5).annotated is None
    partly = LabelledSequence("partly", "movie", MOVIE.read, annotated=(0, 3))
    assert spoil(partly, Corruption.DEFOCUS, 5).annotated == (0, 3)


def drops() -> list[Drop]:
    return [
        Drop("defocus", 1, "J&F, 1-click", 3, 0.8, 0.7),
        Drop("defocus", 1, "J, 1-click", 3, 0.8, 0.1),
        Drop("defocus", 5, "J&F, 1-click", 3, 0.8, 0.3),
        Drop("stripes", 1, "J&F, 1-click", 3, 0.8, 0.2),
        Drop("stripes", 5, "J&F, 1-click", 3, 0.8, 0.9),
    ]


def test_the_table_has_the_worst_first() -> None:
    assert headline(drops()) == "J&F, 1-click"
    assert (
        headline([Drop("a", 1, "3D IoU", 1, 1, 1), Drop("a", 1, "IoU after 1 click", 1, 1, 1)])
        == "IoU after 1 click"
    )
    assert headline([Drop("a", 1, "3D IoU", 1, 1, 1)]) == "3D IoU"
    assert table(drops(), "J&F, 1-click").splitlines() == [
        "| corruption | 1 | 5 | mean drop |",
        "|---|---|---|---|",
        "| defocus | 0.100 | 0.500 | 0.300 |",
        "| stripes | 0.600 | -0.100 | 0.250 |",
    ]
    with pytest.raises(PromptError, match="several frames"):
        headline([])


def test_written(tmp_path: Path) -> None:
    text = write(tmp_path, drops(), "nano on cells")
    page = (tmp_path / "corruptions.md").read_text()
    assert page == f"nano on cells\n\n{text}\n"
    assert table(drops(), "J&F, 1-click") in text
    with (tmp_path / "corruptions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert (rows[2]["corruption"], float(rows[2]["drop"])) == ("defocus", pytest.approx(0.5))
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "missing", drops())


def test_names() -> None:
    assert corruptions_named(["Defocus", "perlin noise", "defocus"]) == (
        Corruption.DEFOCUS,
        Corruption.PERLIN,
    )
    with pytest.raises(PromptError, match="no corruption 'fog'; known are: shot noise"):
        corruptions_named(["fog"])


def test_minimal_sample_distance() -> None:
    corrupted = [np.array([0.0, 0.0]), np.array([2.0, 0.0])]
    near, far = np.array([1.0, 3.0]), np.array([9.0, 0.0])
    assert minimal_sample_distance([far, near], corrupted) == 3
    assert minimal_sample_distance([far], corrupted) == 8
    assert minimal_sample_distance(corrupted, [near]) == pytest.approx(np.sqrt(10)), "not symmetric"


def test_the_mean_of_features(small_model: SAM2) -> None:
    space = FeatureSpace(small_model)
    rng = np.random.default_rng(0)
    pictures = [rng.random((40, 50, 3)).astype(np.float32) for _ in range(3)]
    alone = [space.mean([picture]) for picture in pictures]
    assert alone[0].shape == (small_model.config.width,)
    np.testing.assert_allclose(space.mean(pictures), np.mean(alone, axis=0), rtol=1e-6)
    assert np.linalg.norm(alone[0] - alone[1]) > 0
