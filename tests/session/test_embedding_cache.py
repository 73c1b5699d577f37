"""A session that keeps its encoded frames on disk does what one without does, and encodes less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.inference.embedding_store import EmbeddingStore
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.registry import embedding_folder
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.session import Session
from tests.conftest import seed_weights
from tests.session.conftest import LENGTH, contents

Middle = Callable[[int, int], Click]


@pytest.fixture
def encoded(network: SAM2, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A line for every call of the image encoder."""
    calls: list[int] = []
    encode = network.encode
    monkeypatch.setattr(network, "encode", lambda image: (calls.append(1), encode(image))[1])
    return calls


def annotated(session: Session, middle: Middle) -> Session:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    list(session.propagate())
    return session


def test_the_second_sitting_encodes_nothing(
    scene: Phantom, network: SAM2, middle: Middle, tmp_path: Path, encoded: list[int]
) -> None:
    plain = contents(annotated(Session(scene.images, network), middle))
    assert len(encoded) == LENGTH
    first = annotated(Session(scene.images, network, cache=tmp_path / "x"), middle)
    assert len(encoded) == 2 * LENGTH
    second = annotated(Session(scene.images, network, cache=str(tmp_path / "x")), middle)
    assert len(encoded) == 2 * LENGTH
    assert contents(first) == contents(second) == plain
    shuffled = Session(scene.images[::-1], network, cache=tmp_path / "x", intensity=first.intensity)
    shuffled.prompt(LENGTH - 1, 1, clicks=[middle(0, 1)])
    assert len(encoded) == 2 * LENGTH, "known by what it shows, not by its number"


def test_what_would_come_out_differently_is_encoded(
    scene: Phantom, network: SAM2, small_model: SAM2, tmp_path: Path, encoded: list[int]
) -> None:
    store = EmbeddingStore(tmp_path)

    def files(session: Session) -> int:
        session.prompt(0, 1, clicks=[Click(20, 20)])
        return len(list(tmp_path.iterdir()))

    assert files(Session(scene.images, network, cache=store)) == 1
    assert files(Session(scene.images, network, cache=store)) == 1
    assert files(Session(scene.images, network, intensity=IntensityMap.window(0, 999), cache=store)) == 2
    assert files(Session(scene.images + 1, network, cache=store)) == 3
    assert files(Session(scene.images, small_model, cache=store)) == 4
    other = SAM2(small_model.config).eval().requires_grad_(False)
    seed_weights(other, 5)
    assert files(Session(scene.images, other, cache=store)) == 5


def test_a_loaded_session_has_one_too(
    scene: Phantom, network: SAM2, middle: Middle, tmp_path: Path, encoded: list[int]
) -> None:
    session = annotated(Session(scene.images, network, cache=tmp_path / "x"), middle)
    path = session.save(tmp_path / "a.json")
    encoded.clear()
    loaded = Session.load(path, scene.images, network, cache=tmp_path / "x")
    fresh = loaded.fresh()
    for one in (loaded, session, annotated(fresh, middle)):
        one.prompt(3, 1, clicks=[middle(3, 1)])
    assert contents(loaded) == contents(session) == contents(fresh)
    assert not encoded


def test_memory_may_hold_a_single_frame(
    scene: Phantom, network: SAM2, middle: Middle, tmp_path: Path, encoded: list[int]
) -> None:
    policy = TrackingPolicy(embedding_bytes=1)
    session = annotated(Session(scene.images, network, policy, cache=tmp_path), middle)
    list(session.propagate(start=0))
    assert len(encoded) == LENGTH
    assert torch.is_inference_mode_enabled() is False
    assert np.array_equal(session.labels(3), annotated(Session(scene.images, network), middle).labels(3))


def test_the_folder_lies_beside_the_checkpoints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path))
    assert embedding_folder() == tmp_path / "embeddings"
