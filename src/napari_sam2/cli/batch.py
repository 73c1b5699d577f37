"""``napari-sam2 batch``: many files, no screen."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.cli.arguments import STOPPED, in_a_sentence
from napari_sam2.errors import StorageError
from napari_sam2.io.export_kind import ExportKind


class WayName(StrEnum):
    """Choices on the command line; their meaning lives in `napari_sam2.batch.plan`."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BOTH = "both"


@in_a_sentence
def batch(
    plan: Annotated[
        Path,
        typer.Argument(
            help="A folder of images, a table of prompts (.csv), or a plan (.json).", show_default=False
        ),
    ],
    images: Annotated[
        str | None,
        typer.Option("--images", help="Which files of the folder: '*.tif', '**/*.zarr'.", show_default=False),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts", help="A table (.csv) of points, boxes or label images.", show_default=False
        ),
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option("--session", help="A session file; its prompts go to each image.", show_default=False),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="Label images of another tool, each object a prompt: 'stardist/{stem}.tif'.",
            show_default=False,
        ),
    ] = None,
    frame: Annotated[
        int | None,
        typer.Option("--frame", min=0, help="The frame that label images belong to; the first if left out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The folder of the results; 'napari-sam2-batch' beside the plan if left out."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Names of the outputs in it: '{folder}/{stem}.tif'."),
    ] = None,
    kind: Annotated[
        ExportKind | None,
        typer.Option(
            "--kind", help="The format; if left out, the outputs' ending says it.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A name from 'models list', or a file; nano if left out."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, ...; if left out, CUDA or else cpu.")
    ] = None,
    way: Annotated[
        WayName | None, typer.Option("--way", help="Where to follow objects to; forward if left out.")
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="Frames are the slices of a stack: bodies hang together and end.")
    ] = False,
    chunk: Annotated[
        int | None, typer.Option("--chunk", min=2, help="Cut longer sequences into chunks of so many frames.")
    ] = None,
    shared: Annotated[
        int | None,
        typer.Option("--shared", min=1, help="Frames that neighbouring chunks share; 4 if left out."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes to start here; if left out, this one does it all."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Of a Dask cluster: tcp://host:8786.", show_default=False),
    ] = None,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="How often to try again what a file is not to blame for.")
    ] = 2,
    check: Annotated[
        bool, typer.Option("--check", help="Look for what is wrong with the plan, no more.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that this plan did not make.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, whatever earlier runs have finished.")
    ] = False,
) -> None:
    """Follow objects through many files, and write labels, report.html and report.csv.

    Run it again after it was stopped or killed: it goes on where it was, to the frame.
    """
    from napari_sam2.batch.check import check_plan
    from napari_sam2.batch.outcome import Status
    from napari_sam2.batch.plan import PlanError
    from napari_sam2.batch.pool import Cluster, Here, Pool
    from napari_sam2.batch.report import summary, write_report
    from napari_sam2.batch.run import run_batch
    from napari_sam2.batch.sources import read_plan
    from napari_sam2.cli.live_table import LiveTable
    from napari_sam2.session_prompts import template_of

    if workers is not None and scheduler is not None:
        raise typer.BadParameter(
            "give --workers to start some here, or --scheduler to use those of a cluster.",
            param_hint="--workers",
        )
    wishes = {
        "images": images,
        "prompts": None if prompts is None else str(prompts.absolute()),
        "session": None if session is None else str(session.absolute()),
        "labels": labels,
        "frame": frame,
        "out": None if out is None else str(out.absolute()),
        "output": output,
        "kind": kind,
        "model": str(Path(model).absolute()) if model is not None and Path(model).is_file() else model,
        "device": device,
        "way": None if way is None else way.value,
        "slices": slices or None,
        "chunk": chunk,
        "shared": shared,
    }
    try:
        told = read_plan(plan, wishes, template_of)
        shapes = check_plan(told, overwrite or restart)
    except PlanError as error:
        for problem in error.problems:
            typer.echo(f"- {' '.join(problem.split())}", err=True)
        count = len(error.problems)
        typer.echo(
            f"napari-sam2: the plan has {count} problem{'s' * (count != 1)}; nothing was done.", err=True
        )
        raise typer.Exit(1) from error
    if check:
        frames = sum(shapes[one.image][0] for one in told.sequences if one.image in shapes)
        lost = sum(one.image not in shapes for one in told.sequences)
        typer.echo(
            f"{len(told.sequences)} sequences, {frames} frames: nothing is wrong with the plan"
            + (f", but {lost} cannot be opened and will fail" if lost else "")
        )
        return
    try:
        told.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{told.folder} cannot be made ({error.strerror}): choose another --out."
        ) from error
    table = LiveTable(len(told.sequences))
    pool: Pool = (
        Here(table.note)
        if workers is None and scheduler is None
        else Cluster(table.note, scheduler, workers or 1)
    )
    try:
        with table:
            outcomes = run_batch(
                told, pool, retries=retries, overwrite=overwrite, restart=restart, tell=table.end
            )
    except KeyboardInterrupt as stop:
        typer.echo(
            "napari-sam2: stopped; what is finished is kept, and the same command goes on from there.",
            err=True,
        )
        raise typer.Exit(STOPPED) from stop
    finally:
        pool.close()
    page = write_report(told, outcomes)
    typer.echo(f"{summary(outcomes)}\n{page}")
    if any(one.status is Status.FAILED for one in outcomes):
        raise typer.Exit(1)
