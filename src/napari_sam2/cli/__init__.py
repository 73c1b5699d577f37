"""The command line: one sub-command a file; what is heavy is imported when a command runs."""

from __future__ import annotations


def main() -> None:
    """Run ``napari-sam2``; the console script."""
    from napari_sam2.cli.app import app

    app(prog_name="napari-sam2")
