"""A prepared network computes what the plain one does, keeps its parameters, and says what was done."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.fast.linear import ROWS, PackedLinear, PackedMLP
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.runtime import Precision, prepare
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.io.checkpoints import load_model
from napari_sam2.model.config import HieraConfig, ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import ImageEmbedding, MaskPrediction, MemorySlots
from napari_sam2.prompts import Click
from napari_sam2_kernels import onednn
from napari_sam2_kernels.attention import packed
from tests.conftest import golden, seed_weights
from tests.inference.test_parity import SWITCHES, TOLERANCE, perform, settle_ties
from tests.sam1 import tiny_sam1

needs_float32 = pytest.mark.skipif(
    onednn.obstacle(torch.float32) is not None, reason="no packed float32 products here"
)
needs_bfloat16 = pytest.mark.skipif(
    onednn.obstacle(torch.bfloat16) is not None, reason="no packed bfloat16 products here"
)


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def model() -> SAM2:
    """A network of its own, so that nothing that is done here reaches other tests."""
    config = ModelConfig(HieraConfig(16, 1, (1, 1, 2, 1), (3,), (8, 4, 8, 4), (7, 7)), 256, 32, 16, 2, 64, 1)
    with torch.inference_mode(False):
        model = SAM2(config).eval().requires_grad_(False)
        seed_weights(model)
    return model


def pixels(seed: int = 0) -> Tensor:
    return torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(seed))


def slots(objects: int) -> MemorySlots:
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(objects, 3, 16, 16, 16, generator=generator)
    return MemorySlots(maps, (6, 1, 0), torch.randn(objects, 2, 32, generator=generator), (0.5, 0.1))


def everything(model: SAM2, objects: int = 3, recalled: bool = True) -> dict[str, Tensor]:
    """All that a network computes for several objects on a frame, tensor by tensor."""
    embedding = model.encode(pixels())
    features = model.recall(embedding, slots(objects) if recalled else None)
    points = torch.tensor([[[40.0 + 60 * i, 200 - 50 * i]] for i in range(objects)])
    tokens = model.prompt(points, torch.ones(objects, 1, dtype=torch.long), None)
    found = model.decode(features, embedding, tokens, multimask=True)
    remembered = model.memorize(embedding, found.best(), binarize=False)
    return {
        "coarse": embedding.features,
        "middle": embedding.middle,
        "fine": embedding.fine,
        "recalled": features,
        "logits": found.logits,
        "iou": found.iou,
        "score": found.object_score,
        "pointer": found.pointer,
        "memory": remembered.features,
    }


def error(found: Tensor, truth: Tensor) -> float:
    return float((found - truth).norm() / truth.norm())


@needs_float32
@pytest.mark.parametrize("recalled", [True, False])
@pytest.mark.parametrize("objects", [1, 3])
def test_float32_differs_in_the_last_digits_alone(model: SAM2, objects: int, recalled: bool) -> None:
    prepared = prepare(model, Precision.FLOAT32)
    assert prepared.precision is Precision.FLOAT32
    assert prepared.model is not model
    plain, fast = everything(model, objects, recalled), everything(prepared.model, objects, recalled)
    for name, truth in plain.items():
        assert fast[name].shape == truth.shape
        assert fast[name].dtype == truth.dtype
        assert error(fast[name], truth) < 1e-5, name


@needs_float32
def test_every_faster_layer_takes_part(model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = prepare(model, Precision.FLOAT32).model
    kinds = {type(module) for module in fast.modules() if ".fast." in type(module).__module__}
    called = set()
    for kind in kinds:

        def note(self: nn.Module, *given: Any, run: Any = kind.forward, kind: type = kind) -> Any:
            called.add(kind)
            return run(self, *given)

        if kind.__name__ != "PlacedFourier":  # what is kept there is the grid
            monkeypatch.setattr(kind, "forward", note)
        else:
            called.add(kind)
    everything(fast)
    assert called == kinds
    assert len(kinds) == 10


@needs_float32
@pytest.mark.parametrize("name", ["nano-2.1", "nano-2.0", "tiny-2.1"])
def test_whole_sessions_as_the_reference_has_them(name: str) -> None:
    case = golden(name)
    config = case.meta["config"]
    switches = {key: config[key] for key in SWITCHES if key in config}
    policy = TrackingPolicy.reference(fill_hole_area=0, **switches)
    tracker = VideoTracker(prepare(case.model, Precision.FLOAT32).model, policy)
    state = tracker.start(case.frames, IntensityMap.identity())
    thin = case.meta["video_stride"]
    compared = 0
    for number, op in enumerate(case.meta["ops"]):
        key = f"video/op{number:02d}"
        results = list(perform(tracker, state, op))
        if f"{key}/frames" not in case.vectors:
            continue
        ours = np.stack([r.logits[:, thin // 2 :: thin, thin // 2 :: thin].numpy() for r in results])
        theirs = case.vectors[f"{key}/logits"]
        if policy.non_overlap_masks:
            ours, theirs = settle_ties(ours, theirs)
        np.testing.assert_allclose(ours, theirs, atol=TOLERANCE.get(name, 5e-5), rtol=0, err_msg=f"{op}")
        compared += ours.size
    assert compared > 0


@needs_float32
@pytest.mark.parametrize("name", ["nano-2.1"])
def test_whole_sessions_without_packed_attention(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "suits", lambda query, key, value: False)
    test_whole_sessions_as_the_reference_has_them(name)


@needs_bfloat16
def test_bfloat16_is_no_worse_than_autocast(model: SAM2) -> None:
    exact = everything(model)
    with torch.autocast("cpu", torch.bfloat16):
        usual = {name: tensor.float() for name, tensor in everything(model).items()}
    prepared = prepare(model, Precision.BFLOAT16)
    assert prepared.precision is Precision.BFLOAT16
    own = everything(prepared.model)
    for name, truth in exact.items():
        assert own[name].dtype == truth.dtype
        assert 0 < error(own[name], truth) <= 1.1 * error(usual[name], truth), name


def movie(frames: int = 6, side: int = 192) -> np.ndarray:
    """Bright discs on noise that drift."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    shown = rng.normal(30, 6, (frames, side, side))
    for t in range(frames):
        for row, column in CENTRES:
            distance = (y - row - 2 * t) ** 2 + (x - column - t) ** 2
            shown[t] += 120 * np.exp(-((distance / 150) ** 2))
    return shown.clip(0, 255).astype(np.uint8)


CENTRES = ((40, 40), (40, 120), (120, 80))


def masks(model: SAM2) -> np.ndarray:
    tracker = VideoTracker(model)
    state = tracker.start(movie())
    for number, (row, column) in enumerate(CENTRES, start=1):
        tracker.prompt(state, 0, number, clicks=[Click(row, column, True)])
    return np.stack([(result.logits > 0).numpy() for result in tracker.propagate(state)])


@needs_bfloat16
def test_bfloat16_hardly_moves_the_masks_of_the_embedded_model() -> None:
    model = load_model("nano", "cpu")
    assert isinstance(model, SAM2)
    plain, fast = masks(model), masks(prepare(model).model)
    assert plain.any(axis=(2, 3)).all()
    shared = (plain & fast).sum(axis=(2, 3)) / (plain | fast).sum(axis=(2, 3))
    assert 1 - shared.mean() < 0.005


@needs_float32
def test_parameters_are_shared_and_keep_their_names(model: SAM2) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    kinds = [type(module) for module in model.modules()]
    fast = prepare(model, Precision.FLOAT32).model
    everything(fast)
    assert [type(module) for module in model.modules()] == kinds
    theirs, ours = fast.state_dict(), model.state_dict()
    assert list(theirs) == list(ours)
    for name, tensor in ours.items():
        assert theirs[name].data_ptr() == tensor.data_ptr()
        assert torch.equal(tensor, before[name])
    assert list(fast.to_official()) == list(model.to_official())


@needs_float32
def test_new_weights_are_noticed(model: SAM2) -> None:
    with torch.inference_mode(False):
        own = copy.deepcopy(model)
    fast = prepare(own, Precision.FLOAT32).model
    first = everything(fast)["logits"]
    with torch.inference_mode(False), torch.no_grad():
        seed_weights(own, seed=3)
    second, truth = everything(fast), everything(own)
    assert error(second["logits"], first) > 0.1
    for name, wanted in truth.items():
        assert error(second[name], wanted) < 1e-5, name


@needs_float32
def test_copies_and_files(model: SAM2) -> None:
    fast = prepare(model, Precision.FLOAT32).model
    truth = everything(fast)["logits"]
    file = io.BytesIO()
    torch.save(fast, file)
    file.seek(0)
    for twin in (copy.deepcopy(fast), torch.load(file, weights_only=False)):
        torch.testing.assert_close(everything(twin)["logits"], truth)


@needs_float32
def test_a_prepared_network_may_be_moved(model: SAM2) -> None:
    with torch.inference_mode(False):
        moved = copy.deepcopy(prepare(model, Precision.FLOAT32).model).double()
        own = copy.deepcopy(model).double()
    found, truth = moved.encode(pixels()), own.encode(pixels())
    for name in ("features", "middle", "fine"):
        assert getattr(found, name).dtype is torch.float64
        assert error(getattr(found, name), getattr(truth, name)) < 1e-12


@needs_bfloat16
def test_prepared_twice_the_last_number_format_counts(model: SAM2) -> None:
    exact = everything(prepare(model, Precision.FLOAT32).model)
    half = prepare(model, Precision.BFLOAT16).model
    rounded = everything(half)
    again = everything(prepare(half, Precision.FLOAT32).model)
    for name, truth in exact.items():
        assert torch.equal(again[name], truth), name
        assert torch.equal(everything(half)[name], rounded[name]), name
        assert not torch.equal(rounded[name], truth), name


@needs_float32
def test_sam_of_2023_in_float32() -> None:
    with torch.inference_mode(False):
        plain = tiny_sam1()
    prepared = prepare(plain)
    assert prepared.precision is Precision.FLOAT32
    assert any(isinstance(module, PackedLinear) for module in prepared.model.modules())
    found: list[dict[str, Tensor]] = []
    for network in (plain, prepared.model):
        embedding = network.encode(pixels()[..., :128, :128])
        points, labels = torch.tensor([[[30.0, 50.0]], [[90.0, 20.0]]]), torch.ones(2, 1, dtype=torch.long)
        tokens = network.prompt(points, labels, None)
        masks = network.decode(network.recall(embedding, None), embedding, tokens, multimask=True)
        found.append({"coarse": embedding.features, "logits": masks.logits, "iou": masks.iou})
    for name, truth in found[0].items():
        assert error(found[1][name], truth) < 1e-5, name


def test_what_cannot_be_gained_is_left(model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    double = prepare(copy.deepcopy(model).double())
    assert double.model.dtype is torch.float64
    assert not any(isinstance(module, PackedLinear) for module in double.model.modules())
    assert "Left as it is" in double.done[0]
    monkeypatch.setattr("napari_sam2.inference.runtime.obstacle", lambda dtype: "there is none.")
    nothing = prepare(model)
    assert nothing.model is model
    assert nothing.done == ("Left as it is: there is none.",)
    assert nothing.precision is Precision.FLOAT32


@needs_float32
def test_float32_where_bfloat16_is_slow(model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {torch.float32: None, torch.bfloat16: "it is slow."}
    monkeypatch.setattr("napari_sam2.inference.runtime.obstacle", slow.get)
    prepared = prepare(model)
    assert prepared.precision is Precision.FLOAT32
    assert "float32 instead of bfloat16: it is slow." in prepared.done
    assert error(everything(prepared.model)["logits"], everything(model)["logits"]) < 1e-5


@needs_float32
def test_prompts_in_groups_are_those_of_one_batch(model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = prepare(model, Precision.FLOAT32).model

    def decode(cells: int) -> MaskPrediction:
        monkeypatch.setattr("napari_sam2.inference.fast.decoder._CELLS", cells)
        embedding = fast.encode(pixels())
        mask = torch.randn(5, 1, 64, 64, generator=torch.Generator().manual_seed(2))
        points = torch.arange(10.0).reshape(5, 1, 2) * 20
        tokens = fast.prompt(points, torch.ones(5, 1, dtype=torch.long), mask)
        return fast.decode(fast.recall(embedding, None), embedding, tokens, multimask=False)

    whole, pairs, single = (decode(cells) for cells in (2**30, 2 * 64 * 64, 1))
    assert float((whole.logits[0] - whole.logits[1]).abs().max()) > 1e-3
    for parts in (pairs, single):
        for name in ("logits", "iou", "object_score", "pointer"):
            torch.testing.assert_close(getattr(parts, name), getattr(whole, name), atol=1e-5, rtol=1e-5)


@needs_float32
def test_several_images_at_once(model: SAM2) -> None:
    both = torch.cat((pixels(0), pixels(1)))
    found = prepare(model, Precision.FLOAT32).model.encode(both)
    truth = model.encode(both)
    for name in ("features", "middle", "fine"):
        assert error(getattr(found, name), getattr(truth, name)) < 1e-5
    assert isinstance(found, ImageEmbedding)


@needs_float32
def test_gradients_pass_through_packed_layers() -> None:
    with torch.inference_mode(False), torch.enable_grad():
        layer = PackedLinear(8, 5)
        x = torch.randn(100, 8, requires_grad=True)
        layer(x).sum().backward()
        assert layer.weight.grad is not None and x.grad is not None
        torch.testing.assert_close(layer.weight.grad, x.detach().sum(0).expand(5, -1))


@needs_float32
@pytest.mark.parametrize("rows", [1, 63, 64, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 7])
@pytest.mark.parametrize("activation", [nn.functional.gelu, nn.functional.relu])
def test_mlp_of_any_length(rows: int, activation: Any) -> None:
    torch.manual_seed(0)
    mlp = PackedMLP(6, 12, 5, depth=2, activation=activation)
    mlp.layers = nn.ModuleList(PackedLinear(*shape) for shape in ((6, 12), (12, 5)))
    x = torch.randn(1, rows, 6)
    first, last = mlp.layers
    truth = nn.functional.linear(activation(nn.functional.linear(x, first.weight, first.bias)), last.weight)
    torch.testing.assert_close(mlp(x), truth + last.bias, atol=1e-5, rtol=1e-5)
