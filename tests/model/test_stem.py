"""The convolutional stem: its geometry, and that folding its norms changes no result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from napari_sam2.errors import CheckpointError
from napari_sam2.io.checkpoints import config_of, load_model, save_model
from napari_sam2.model.config import NANO, HieraConfig, ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.stem import ConvStem, PatchEmbed, make_stem
from napari_sam2.model.weights import fold_stem

STEM = "image_encoder.trunk.patch_embed."


def small(stem: str, widths: tuple[int, ...]) -> ModelConfig:
    trunk = HieraConfig(16, 1, (1, 1, 2, 1), (3,), (8, 4, 8, 4), (7, 7), 0.0, stem, widths)
    return ModelConfig(trunk, 128, 32, 16, 2, 64, 1)


def lived_in(widths: tuple[int, ...]) -> SAM2:
    """A network in evaluation mode whose norms are far from those of a fresh one."""
    torch.manual_seed(0)
    model = SAM2(small("conv", widths))
    for layer in model.image_encoder.trunk.patch_embed.layers:
        norm = layer.norm
        torch.nn.init.uniform_(norm.weight, -1.5, 2.0)
        torch.nn.init.normal_(norm.bias)
        torch.nn.init.normal_(norm.running_mean, std=2.0)
        torch.nn.init.uniform_(norm.running_var, 0.01, 4.0)
    return model.eval().requires_grad_(False)


@pytest.fixture(params=[(8, 12), (8, 12, 12), (6, 6, 12)], ids=str)
def model(request: pytest.FixtureRequest) -> SAM2:
    return lived_in(request.param)


@pytest.mark.parametrize(
    ("widths", "strides"), [((8, 12), [2, 2]), ((8, 12, 12), [2, 2, 1]), ((6, 6, 12, 12), [2, 1, 2, 1])]
)
def test_where_the_width_changes_the_map_is_halved(widths: tuple[int, ...], strides: list[int]) -> None:
    stem = make_stem(small("conv", widths).trunk)
    assert isinstance(stem, ConvStem)
    assert [layer.conv.stride[0] for layer in stem.layers] == strides
    assert [layer.conv.out_channels for layer in stem.layers] == list(widths)
    assert stem(torch.zeros(2, 3, 64, 64)).shape == (2, 16, 16, 16)


def test_only_the_last_convolution_of_an_unfolded_stem_has_a_bias() -> None:
    conv, folded = (make_stem(small(stem, (8, 12)).trunk) for stem in ("conv", "folded"))
    assert [layer.conv.bias is None for layer in conv.layers] == [True, True]
    assert [layer.norm is None for layer in folded.layers] == [True, True]
    assert conv.out.bias is not None
    assert {name for name, _ in folded.named_parameters()} == {
        f"{layer}.{part}"
        for layer in ("layers.0.conv", "layers.1.conv", "out")
        for part in ("weight", "bias")
    }


def patches(config: ModelConfig) -> ModelConfig:
    """The same network with the stem of the released ones."""
    return replace(config, trunk=replace(config.trunk, stem="patchify", stem_widths=()))


def test_nano_s_stem_looks_at_the_pixels_that_its_patches_look_at() -> None:
    torch.manual_seed(0)
    seen = []
    for trunk in (patches(NANO).trunk, NANO.trunk):
        stem = make_stem(trunk).eval()
        stem.initialise()
        if isinstance(stem, ConvStem):  # a ReLU that lets everything through
            for layer in stem.layers:
                torch.nn.init.ones_(layer.conv.weight)
        pixels = torch.ones(1, 3, 64, 64, requires_grad=True)
        stem(pixels)[0, 7, 5].square().sum().backward()
        seen.append((pixels.grad != 0).any(dim=1)[0].nonzero())
    assert torch.equal(*seen)
    assert seen[0].min(dim=0).values.tolist() == [25, 17]
    assert seen[0].max(dim=0).values.tolist() == [31, 23]


def test_patches_stay_the_default() -> None:
    assert HieraConfig(8, 1, (1, 1, 1, 1), (), (8, 4, 8, 4)).stem == "patchify"
    assert isinstance(SAM2(patches(NANO)).image_encoder.trunk.patch_embed, PatchEmbed)


def test_folding_changes_no_result(model: SAM2) -> None:
    config = small("folded", model.config.trunk.stem_widths)
    folded = SAM2(config).eval().requires_grad_(False)
    folded.load_official(fold_stem(model.to_official()))
    pixels = torch.randn(2, 3, 128, 128)
    ours, theirs = (m.image_encoder.trunk.patch_embed(pixels) for m in (model, folded))
    assert ours.std() > 0.1
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-5)
    before, after = model.encode(pixels), folded.encode(pixels)
    torch.testing.assert_close(after.features, before.features, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after.fine, before.fine, atol=1e-5, rtol=1e-5)


def test_folding_leaves_its_argument_and_all_other_tensors_alone(model: SAM2) -> None:
    state = {key: tensor.clone() for key, tensor in model.to_official().items()}
    folded = fold_stem(state)
    assert state.keys() == model.to_official().keys()
    for key, tensor in model.to_official().items():
        assert torch.equal(state[key], tensor), key
        if not key.startswith(f"{STEM}layers."):
            assert folded[key] is state[key]
    assert not [key for key in folded if ".norm." in key and key.startswith(STEM)]
    again = fold_stem(folded)
    assert again.keys() == folded.keys()
    assert all(again[key] is folded[key] for key in folded)


def test_folding_patches_does_nothing(small_model: SAM2) -> None:
    state = small_model.to_official()
    assert fold_stem(state).keys() == state.keys()
    assert all(fold_stem(state)[key] is state[key] for key in state)


def test_training_moves_the_norms_and_the_round_trip_keeps_them(model: SAM2) -> None:
    before = model.to_official()[f"{STEM}layers.0.norm.running_mean"].clone()
    model.train().encode(torch.randn(2, 3, 128, 128))
    state = {key: tensor.clone() for key, tensor in model.eval().to_official().items()}
    assert not torch.equal(state[f"{STEM}layers.0.norm.running_mean"], before)
    assert all(tensor.is_floating_point() for tensor in state.values())  # as averaging weights needs
    torch.manual_seed(5)
    copy = SAM2(model.config).eval().requires_grad_(False)
    copy.load_official(state)
    assert list(copy.to_official()) == list(state)
    pixels = torch.randn(1, 3, 128, 128)
    assert torch.equal(copy.encode(pixels).fine, model.encode(pixels).fine)


def test_a_file_holds_the_folded_stem_and_says_so(model: SAM2, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "conv.safetensors")
    with safe_open(path, framework="pt") as file:
        inside, keys = json.loads(file.metadata()["config"]), set(file.keys())
    assert inside["trunk"]["stem"] == "folded"
    assert f"{STEM}layers.0.conv.bias" in keys
    assert not [key for key in keys if key.startswith(STEM) and ".norm." in key]
    back = load_model(path, device="cpu")
    assert back.config == small("folded", model.config.trunk.stem_widths)
    assert model.config.trunk.stem == "conv"
    pixels = torch.randn(1, 3, 128, 128)
    torch.testing.assert_close(back.encode(pixels).fine, model.encode(pixels).fine, atol=1e-5, rtol=1e-5)
    second = load_model(save_model(back, tmp_path / "again.safetensors"), device="cpu")
    assert second.config == back.config
    assert all(torch.equal(second.to_official()[key], value) for key, value in back.to_official().items())


def test_a_folded_file_trains_on_without_norms(model: SAM2, tmp_path: Path) -> None:
    back = load_model(save_model(model, tmp_path / "a.safetensors"), device="cpu")
    back.requires_grad_(True).train().encode(torch.randn(1, 3, 128, 128)).fine.square().mean().backward()
    assert back.image_encoder.trunk.patch_embed.layers[0].conv.bias.grad.abs().sum() > 0


def test_folded_and_unfolded_weights_do_not_fit_each_other(model: SAM2) -> None:
    widths = model.config.trunk.stem_widths
    folded = SAM2(small("folded", widths))
    with pytest.raises(CheckpointError, match=rf"{len(widths)} missing .*layers\.0\.conv\.bias"):
        folded.load_official(model.to_official())
    with pytest.raises(CheckpointError, match=r"unexpected .*layers\.0\.conv\.bias"):
        model.load_official(folded.to_official())


def test_without_its_configuration_a_stem_is_not_taken_for_a_released_model(tmp_path: Path) -> None:
    model = lived_in((8, 12))
    assert config_of(model.to_official()) is None
    path = tmp_path / "conv.pt"
    torch.save(model.to_official(), path)
    with pytest.raises(CheckpointError, match=r"convolutional stem .*config="):
        load_model(path, device="cpu")
    assert load_model(path, device="cpu", config=model.config).config == model.config


@pytest.mark.parametrize("stem", ["conv", "folded"])
def test_configurations_with_a_stem_travel_as_text(stem: str) -> None:
    config = small(stem, (8, 12, 12))
    assert ModelConfig.from_json(config.to_json()) == config
    assert eval(repr(config), {"ModelConfig": ModelConfig, "HieraConfig": HieraConfig}) == config


def test_texts_from_before_there_were_stems_mean_patches() -> None:
    config = patches(NANO)
    values = json.loads(config.to_json())
    del values["trunk"]["stem"], values["trunk"]["stem_widths"]
    assert ModelConfig.from_json(json.dumps(values)) == config


def test_an_unknown_stem_is_an_error_in_words() -> None:
    text = NANO.to_json().replace('"conv"', '"blur"')
    with pytest.raises(CheckpointError, match="blur"):
        ModelConfig.from_json(text)


@pytest.mark.parametrize(
    ("stem", "widths", "complaint"),
    [
        ("patchify", (8, 12), "Patches have no stem widths"),
        ("conv", (), "does it 0 times"),
        ("conv", (8,), "does it 1 times"),
        ("folded", (8, 12, 16), "does it 3 times"),
        ("conv", (8, 0), "two widths above 0"),
    ],
)
def test_stems_that_cannot_be(stem: str, widths: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        small(stem, widths)
