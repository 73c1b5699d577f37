"""Tiny sequences and a tiny network: what is tested is that nothing is lost and nothing done twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_sam2.batch.check import check_plan
from napari_sam2.batch.outcome import Outcome
from napari_sam2.batch.plan import Plan, PlanError
from napari_sam2.batch.pool import Here
from napari_sam2.batch.run import run_batch
from napari_sam2.batch.sources import plan_of
from napari_sam2.batch.work import networks
from napari_sam2.imaging.phantoms import Phantom, moving_nuclei
from napari_sam2.io.checkpoints import save_model
from napari_sam2.model.sam2 import SAM2
from tests.cli.conftest import TINY
from tests.conftest import seed_weights

LENGTH = 6
STACK_SHAPE = (5, 40, 50)
Folder = Callable[..., Path]


@pytest.fixture(scope="session")
def network() -> SAM2:
    """Weights under which masks are neither empty nor full, and change from frame to frame."""
    model = SAM2(TINY).eval().requires_grad_(False)
    seed_weights(model, 5)
    return model


@pytest.fixture(scope="session")
def weights(network: SAM2, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as a file that workers load."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(network, path)
    return path


def scene(seed: int, frames: int = LENGTH) -> Phantom:
    return moving_nuclei(frames, 64, 72, objects=2, divisions=0, radius=7.0, seed=seed)


def middle(phantom: Phantom, frame: int, label: int) -> tuple[float, float]:
    y, x = np.argwhere(phantom.labels[frame] == label).mean(axis=0)
    return float(y), float(x)


def write_stack(path: Path, images: Any) -> None:
    tifffile.imwrite(path, images, photometric="minisblack", metadata={"axes": "TYX"})


def make_movies(folder: Path, count: int, frames: int = LENGTH) -> Path:
    """Write movies, and a table of one click on each nucleus: on frame 1, and on frame 2."""
    rows = ["image,object,frame,y,x"]
    for number in range(count):
        phantom = scene(number, frames)
        write_stack(folder / f"movie{number:02d}.tif", phantom.images)
        for label, frame in ((1, 1), (2, 2)):
            y, x = middle(phantom, frame, label)
            rows.append(f"movie{number:02d}.tif,{label},{frame},{y:.1f},{x:.1f}")
    (folder / "prompts.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Makes a folder of some movies with a table of prompts."""

    def make(count: int = 1, frames: int = LENGTH) -> Path:
        return make_movies(tmp_path, count, frames)

    return make


def no_session(path: Path) -> Any:
    raise AssertionError(f"nobody asked for {path}")


def table_plan(root: Path, weights: Path, **wishes: Any) -> Plan:
    told = {"prompts": "prompts.csv", "model": str(weights), "way": "both", **wishes}
    plan = plan_of(told, root, no_session)
    plan.folder.mkdir(parents=True, exist_ok=True)
    return plan


def run_here(plan: Plan, **options: Any) -> tuple[Outcome, ...]:
    return run_batch(plan, Here(), **options)


def outputs(plan: Plan) -> dict[str, np.ndarray]:
    return {one.output.name: tifffile.imread(one.output) for one in plan.sequences}


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch, network: SAM2) -> list[str]:
    """Grows by a frame's checksum whenever this process encodes it."""
    from tests.batch.counting import fingerprint

    seen: list[str] = []
    encode = SAM2.encode

    def counted(self: SAM2, pixels: Any) -> Any:
        seen.append(fingerprint(pixels))
        return encode(self, pixels)

    monkeypatch.setattr(SAM2, "encode", counted)
    return seen


@pytest.fixture(autouse=True)
def loaded_anew() -> None:
    """No test sees the network that another one loaded."""
    networks.forget()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "deep").mkdir()
    for name in ("a.tif", "b.tif", "deep/a.tif"):
        write_stack(tmp_path / name, rng.integers(0, 255, STACK_SHAPE).astype(np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def problems(root: Path, **wishes: Any) -> tuple[str, ...]:
    with pytest.raises(PlanError) as caught:
        check_plan(plan_of(wishes, root, no_session))
    return caught.value.problems
