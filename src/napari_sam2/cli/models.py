"""``napari-sam2 models``: which models there are, and fetching one."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_sam2.cli.arguments import in_a_sentence
from napari_sam2.cli.progress import DownloadBar

models = typer.Typer(help="List the models, or download one for offline use.")


@models.callback(invoke_without_command=True)
def _models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        show()


@models.command("list")
@in_a_sentence
def show() -> None:
    """List the models: which come with the package, are on this machine, or can be downloaded."""
    from napari_sam2.io.registry import CHECKPOINTS, EMBEDDED, cache_folder, cached

    here = cached()
    width = max(map(len, CHECKPOINTS))
    typer.echo(f"{EMBEDDED:{width}}  comes with the package")
    for name, entry in CHECKPOINTS.items():
        typer.echo(f"{name:{width}}  {'on this machine' if name in here else entry.url}")
    typer.echo(f"Folder: {cache_folder()} (the environment variable NAPARI_SAM2_CACHE names another)")


@models.command("download")
@in_a_sentence
def download(name: Annotated[str, typer.Argument(help="A name from the list.", show_default=False)]) -> None:
    """Fetch a model into the user's cache; goes on where an earlier download broke off."""
    from napari_sam2.io.registry import EMBEDDED, fetch

    if name == EMBEDDED:
        typer.echo(f"{EMBEDDED} comes with the package: there is nothing to download.")
        return
    with DownloadBar(name) as bar:
        path = fetch(name, progress=bar)
    typer.echo(str(path))
