"""Failures as napari's notifications, in a sentence that says what to do."""

from __future__ import annotations

from napari.utils.notifications import Notification, notification_manager, show_error, show_warning

from napari_sam2.errors import Sam2Error


def tell(error: BaseException) -> str:
    """Show an error and return its sentence; what nobody foresaw keeps its traceback behind a button."""
    if isinstance(error, Sam2Error):
        show_warning(str(error))
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        text = "There is not enough memory: close other programs, or choose a smaller model or image."
        show_error(text)
        return text
    notification_manager.dispatch(Notification.from_exception(error))
    return f"Something unforeseen went wrong ({error}). What was done is saved; please report it."
