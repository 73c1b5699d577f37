"""What the user set in napari's Preferences > SAM 2; defaults where napari has no such page yet."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

PLUGIN = "napari-sam2"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a window begins.

    Attributes
    ----------
    model
        What `load_model` takes.
    device
        Where it runs; None for the best there is.
    autosave
        Whether sessions are kept in case of a crash.
    effort
        Whether it is counted how many clicks and seconds each object took; it stays in the session's file.
    keys
        Keys by the names of `Action`; empty texts stand for the usual key.
    """

    model: str = "nano"
    device: str | None = None
    autosave: bool = True
    effort: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)


def preferences() -> Preferences:
    """Return what is set now."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari before 0.9
        return Preferences()
    try:
        settings = get_plugin_settings(PLUGIN)
    except KeyError:  # the plugin is not installed, only imported
        return Preferences()
    return read(settings.model_dump())


def read(settings: Mapping[str, Any]) -> Preferences:
    """Return what a page of settings says; what it does not say stays as it is by default.

    Parameters
    ----------
    settings
        The groups ``session`` and ``keys`` of the manifest's configurations, each a mapping.
    """
    usual = Preferences()
    session = settings.get("session", {})
    found: dict[str, Any] = {}
    for one in fields(Preferences):
        if one.name == "keys" or one.name not in session:
            continue
        value = session[one.name]
        if one.name == "device":
            found["device"] = None if value in ("", "automatic") else str(value)
        elif isinstance(value, type(getattr(usual, one.name))) and value != "":
            found[one.name] = value
        else:
            warnings.warn(
                f"Preferences > SAM 2 says {one.name} = {value!r}, which is not understood: "
                f"{getattr(usual, one.name)!r} is taken.",
                RuntimeWarning,
                stacklevel=2,
            )
    keys = {str(name): str(key) for name, key in settings.get("keys", {}).items() if str(key).strip()}
    return Preferences(**found, keys=keys)
