"""Learning from the frames of a session, with a network that is quick and knows nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam2.errors import ImageError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io import checkpoints
from napari_sam2.model.sam2 import SAM2
from napari_sam2.plugin.lessons import (
    Course,
    Lesson,
    Moment,
    corrected_frames,
    drawn,
    learn,
    material,
    verdict,
    why_not,
)
from napari_sam2.session.session import Session
from napari_sam2.training.sources import LabelledFrame
from tests.conftest import seed_weights

SCENE = moving_nuclei(6, 96, 96, objects=3, divisions=0, radius=10.0, seed=2)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(SCENE.images) as session:
        yield session


@pytest.fixture
def network(small_model: SAM2, monkeypatch: pytest.MonkeyPatch) -> SAM2:
    network = copy.deepcopy(small_model)
    seed_weights(network, 8)
    monkeypatch.setattr(checkpoints, "load_model", lambda *_: copy.deepcopy(network))
    return network


def paint(session: Session, *frames: int) -> None:
    for frame in frames:
        session.prompt(frame, 7, mask=SCENE.labels[frame] == 1)


def course(path: Path, **options: object) -> Course:
    return Course("nano", "cpu", "decoder", 1.0, path, "a test", steps=2, **options)  # type: ignore[arg-type]


def test_two_prompted_frames_are_enough(session: Session) -> None:
    assert "Open an image" in why_not(None)
    assert "No frame" in why_not(session)
    paint(session, 4)
    assert "Only one frame" in why_not(session)
    paint(session, 1)
    assert why_not(session) == ""
    assert corrected_frames(session) == (1, 4)


def test_of_a_single_image_nothing_can_be_learned() -> None:
    with Session(SCENE.images[:1]) as single:
        paint(single, 0)
        assert "single image" in why_not(single)


def test_material_is_what_the_model_sees(session: Session) -> None:
    paint(session, 3, 1)
    one, three = material(session, "slice")
    assert (one.name, three.name) == ("slice 1", "slice 3")
    assert one.image.dtype == np.uint8
    assert one.image.shape == (96, 96)
    assert np.array_equal(three.labels, session.labels(3))
    seen = session.intensity(SCENE.images[3])
    assert np.abs(three.image / 255 - seen[..., 0]).max() < 0.5 / 255 + 1e-6


def test_colour_stays() -> None:
    video = np.stack([SCENE.images // 20, SCENE.images // 40, SCENE.images // 30], axis=-1).astype(np.uint8)
    with Session(video, axes="TYXC") as session:
        paint(session, 0, 1)
        assert [frame.image.shape for frame in material(session, "frame")] == [(96, 96, 3)] * 2


def test_a_lesson_gives_a_model_that_can_be_loaded(
    session: Session, network: SAM2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(session, 0, 2, 4)
    moments: list[Moment] = []
    before = {name: tensor.clone() for name, tensor in network.to_official().items()}
    path = tmp_path / "new" / "tuned.safetensors"
    lesson = learn(course(path), material(session, "frame"), moments.append)
    assert lesson.path == path
    assert [(moment.step, moment.steps) for moment in moments if moment.steps] == [(1, 2), (2, 2)]
    assert moments[-1].text == "Writing the model ..."
    assert [shot.name for shot in lesson.shots] == ["frame 2"]
    assert lesson.before is not None
    assert lesson.after is not None
    monkeypatch.undo()
    tuned = checkpoints.load_model(path).to_official()
    changed = [name for name in before if not torch.equal(before[name], tuned[name])]
    assert changed
    assert all("mask_decoder" in name for name in changed)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.to_official().items())


def test_stopping_writes_nothing(session: Session, network: SAM2, tmp_path: Path) -> None:
    paint(session, 0, 2)

    class Stop(Exception):
        pass

    def tell(moment: Moment) -> None:
        if moment.step == 1:
            raise Stop

    with pytest.raises(Stop):
        learn(course(tmp_path / "tuned.safetensors"), material(session, "frame"), tell)
    assert list(tmp_path.iterdir()) == []


def test_frames_whose_labels_are_gone_do_not_count(session: Session, tmp_path: Path) -> None:
    paint(session, 0, 2)
    session.hide(7)
    with pytest.raises(ImageError, match="There are 0"):
        learn(course(tmp_path / "tuned.safetensors"), material(session, "frame"), print)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [(0.5, 0.6, "It helped"), (0.6, 0.6, "did not help"), (0.6, 0.5, "did not help"), (None, None, "no obj")],
)
def test_verdict(before: float | None, after: float | None, word: str) -> None:
    assert word in verdict(Lesson(Path("x"), before, after, ()))


def test_true_outlines_are_white() -> None:
    labels = np.zeros((20, 20), np.uint16)
    labels[5:15, 5:15] = 3
    picture = drawn(LabelledFrame("a", np.full((20, 20), 100, np.uint8), labels), np.zeros_like(labels))
    assert picture[5, 5].tolist() == [255] * 3
    assert picture[0, 0].tolist() == [100] * 3
