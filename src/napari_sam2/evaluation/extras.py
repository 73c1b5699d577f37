"""Libraries that only evaluation needs, fetched when they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from napari_sam2.errors import Sam2Error

_PACKAGES = {"skimage": "scikit-image", "matplotlib": "matplotlib", "ctc_metrics": "py-ctcmetrics"}


def need(module: str, what: str, instead: str = "") -> ModuleType:
    """Import an optional module.

    Parameters
    ----------
    module
        Its dotted name.
    what
        What needs it, to begin a sentence with.
    instead
        What else the user can do, to end it with.

    Raises
    ------
    Sam2Error
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = _PACKAGES[module.partition(".")[0]]
        raise Sam2Error(
            f"{what} need {package}: install it with pip install 'napari-sam2[evaluate]'"
            f"{', ' + instead if instead else ''}."
        ) from error


def there_is(module: str) -> bool:
    """Return whether an optional module can be imported."""
    try:
        import_module(module)
    except ImportError:
        return False
    return True
