"""The manifest: valid, and everything that it names exists."""

import ast
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.preferences import Preferences, read
from napari_sam2.plugin.samples import dividing_nuclei
from tests.plugin.conftest import no_window
from tests.plugin.stand_in import wait


@pytest.fixture(scope="module")
def manifest() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # npe2's own, towards pydantic
        from npe2 import PluginManifest
    return PluginManifest.from_file(str(files("napari_sam2") / "napari.yaml"))


def test_manifest_is_called_as_it_should(manifest: Any) -> None:
    assert manifest.name == "napari-sam2"
    assert manifest.display_name == "SAM 2"


def test_what_commands_name_is_there(manifest: Any) -> None:
    # Read, not imported: docks import Qt, which need not be here.
    assert manifest.contributions.commands
    for command in manifest.contributions.commands:
        module, _, name = str(command.python_name).partition(":")
        path = files("napari_sam2").joinpath(*module.split(".")[1:-1], module.split(".")[-1] + ".py")
        defined = [getattr(node, "name", None) for node in ast.parse(path.read_text(encoding="utf-8")).body]
        assert name in defined, command.python_name


def test_docks_are_in_the_menus(manifest: Any) -> None:
    found = manifest.contributions
    titles = {entry.command.partition(".")[2]: entry.display_name for entry in found.widgets}
    assert titles == {
        "segment_dock": "SAM 2",
        "review_dock": "Review and lineage",
        "train_dock": "Fine-tune",
        "batch_dock": "Batch",
    }
    in_menus = {item.command for menu in found.menus.values() for item in menu}
    assert in_menus == {entry.command for entry in found.widgets}
    assert [item.command for item in found.menus["napari/file/io_utilities"]] == ["napari-sam2.batch_dock"]


def test_what_commands_name_can_be_imported(manifest: Any) -> None:
    why = no_window()
    if why:
        pytest.skip(why)
    manifest.validate_imports()


def test_every_widget_opens_in_a_window(manifest: Any, new_viewer: Callable[[], Any]) -> None:
    viewer = new_viewer()
    names = {command.id: str(command.python_name) for command in manifest.contributions.commands}
    for entry in manifest.contributions.widgets:
        module, _, name = names[entry.command].partition(":")
        dock = getattr(import_module(module), name)(viewer)
        viewer.window.add_dock_widget(dock, name=entry.display_name)
        wait(dock.isVisible)


def test_every_contribution_has_its_command(manifest: Any) -> None:
    found = manifest.contributions
    commands = {command.id for command in found.commands}
    entries = [*found.widgets, *found.readers, *found.writers, *found.sample_data]
    entries += [item for menu in found.menus.values() for item in menu]
    used = {entry.command for entry in entries}
    assert used == commands


def test_preferences_begin_as_the_code_does(manifest: Any) -> None:
    pages = getattr(manifest.contributions, "configurations", None)
    if not isinstance(pages, dict):
        pytest.skip("this npe2 does not know pages of settings yet")
    usual = {name: {key: one.default for key, one in page.properties.items()} for name, page in pages.items()}
    assert read(usual) == Preferences()
    assert set(usual["keys"]) == {action.value for action in Action}


def test_sample_is_an_image_and_its_truth() -> None:
    (image, image_meta, image_kind), (labels, _, labels_kind) = dividing_nuclei()
    assert (image_kind, labels_kind) == ("image", "labels")
    assert image.dtype == np.uint16
    assert image.shape == labels.shape == (30, 256, 256)
    assert image_meta["name"]
    assert np.issubdtype(labels.dtype, np.integer)
    assert labels.max() >= 12
