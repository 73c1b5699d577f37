"""``napari-sam2 replay``: a saved session again, without a screen."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.cli.arguments import Device, Overwrite, in_a_sentence
from napari_sam2.cli.progress import frames_bar, load
from napari_sam2.io.export_kind import ExportKind


@in_a_sentence
def replay(
    session: Annotated[Path, typer.Argument(help="A session file (.json).", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file or folder to write.", show_default=False)
    ],
    kind: Annotated[
        ExportKind | None,
        typer.Option(
            "--kind", help="The format; if left out, the output's ending says it.", show_default=False
        ),
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", help="The image, if it has moved.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The model, if it has moved.", show_default=False),
    ] = None,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Do again what a session did, step by step, and write what it found.

    The network finds every mask anew; nothing is taken from the masks that the file holds.
    """
    from napari_sam2.errors import StorageError
    from napari_sam2.io.export import check_export, export_results
    from napari_sam2.io.frames import open_frames
    from napari_sam2.session.commands import Propagate
    from napari_sam2.session.saved_session import SavedSession
    from napari_sam2.session.session import Session

    check_export(output, kind, overwrite)
    name = model or SavedSession.read(session).model
    if name is None:
        raise StorageError(f"The model of {session.name} was given as an object: give its file with --model.")
    with ExitStack() as stack:
        frames = None if image is None else stack.enter_context(open_frames(image))
        saved = stack.enter_context(Session.load(session, frames, load(name, device)))
        again = saved.fresh()
        walks = [step for step in saved.steps if isinstance(step, Propagate)]
        with frames_bar(sum(len(walk.frames) for walk in walks)) as bar:
            again.events.progress.connect(lambda done, total: bar.update())
            for step in saved.steps:
                again.repeat(step)
        results = again.results()
        notes = {"command": "replay", "session": session.name, "steps": len(saved.steps), "model": name}
        export_results(replace(results, provenance={**results.provenance, **notes}), output, kind, overwrite)
        count = len(again.objects)
        typer.echo(f"{output}: {count} object{'s' * (count != 1)}, {len(results)} frames")
