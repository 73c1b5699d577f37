"""What Preferences say."""

import pytest

from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.preferences import Preferences, preferences, read
from tests.plugin.conftest import no_window


def test_an_empty_page_changes_nothing() -> None:
    assert read({}) == Preferences()


def test_a_page_is_read() -> None:
    found = read(
        {
            "session": {"model": "sam2.1_hiera_tiny", "device": "cpu", "autosave": False, "effort": False},
            "keys": {"new_object": "M", "forward": " "},
        }
    )
    assert found == Preferences("sam2.1_hiera_tiny", "cpu", False, False, {"new_object": "M"})


def test_automatic_is_no_device() -> None:
    assert read({"session": {"device": "automatic"}}).device is None


def test_nonsense_is_said_and_left_out() -> None:
    with pytest.warns(RuntimeWarning, match="autosave"):
        assert read({"session": {"autosave": "perhaps"}}).autosave is True


def test_napari_reads_the_manifest() -> None:
    why = no_window()
    if why:
        pytest.skip(why)
    from napari import settings

    if not hasattr(settings, "get_plugin_settings"):
        pytest.skip("this napari has no settings of plugins")
    page = settings.get_plugin_settings("napari-sam2")
    assert {one.value for one in Action} == set(page.keys.model_dump())
    assert preferences() == Preferences()
