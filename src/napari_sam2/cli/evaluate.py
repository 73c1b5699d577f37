"""``napari-sam2 evaluate``: how good a model is on annotated data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.cli.arguments import Device, Overwrite, in_a_sentence
from napari_sam2.cli.progress import load


class ProtocolName(StrEnum):
    """Choices on the command line; their meaning lives in `napari_sam2.evaluation`."""

    CLICKS = "clicks"
    FIRST_FRAME = "first-frame"
    MIDDLE_SLICE = "middle-slice"
    OFFLINE = "offline"
    ONLINE = "online"


class PromptName(StrEnum):
    """The first prompt of each object in a sequence."""

    CLICK_1 = "1-click"
    CLICK_3 = "3-click"
    CLICK_5 = "5-click"
    BOX = "box"
    MASK = "mask"


@in_a_sentence
def evaluate(
    model: Annotated[
        str,
        typer.Argument(help="A name from 'models list', a .pt or a .safetensors file.", show_default=False),
    ],
    data: Annotated[Path, typer.Argument(help="A folder of annotated data.", show_default=False)],
    protocol: Annotated[
        ProtocolName,
        typer.Option(
            "--protocol",
            help="clicks: every object on every image; first-frame: follow from its first frame; "
            "middle-slice: follow a body both ways; offline, online: correct frames on the way.",
        ),
    ] = ProtocolName.CLICKS,
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path(
        "napari-sam2-evaluation"
    ),
    prompt: Annotated[
        PromptName, typer.Option("--prompt", help="First prompt of an object (first-frame, middle-slice).")
    ] = PromptName.CLICK_1,
    clicks: Annotated[int, typer.Option("--clicks", min=1, help="Clicks on an image (clicks).")] = 5,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="Frames to prompt at the most (offline, online).")
    ] = 8,
    objects: Annotated[
        int | None,
        typer.Option("--objects", min=1, help="At most so many of each image or sequence, drawn at random."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of that draw.")] = 0,
    min_size: Annotated[
        int, typer.Option("--min-size", min=1, help="Leave smaller objects out, in pixels or voxels.")
    ] = 1,
    all_frames: Annotated[
        bool,
        typer.Option("--all-frames", help="Count the first and the last annotated frame, unlike DAVIS."),
    ] = False,
    slices: Annotated[
        bool, typer.Option("--slices", help="Depth, not time: objects hang together, and end once each way.")
    ] = False,
    whole: Annotated[
        bool,
        typer.Option("--whole-image", help="Look at the whole image at once, not through windows (clicks)."),
    ] = False,
    no_baseline: Annotated[
        bool, typer.Option("--no-baseline", help="Leave out Otsu and watershed beside the model.")
    ] = False,
    corruptions: Annotated[
        bool,
        typer.Option("--corruptions", help="Then spoil the data in every way and severity: what it costs."),
    ] = False,
    corruption: Annotated[
        list[str] | None, typer.Option("--corruption", help="Only this one, as in 'shot noise'; repeatable.")
    ] = None,
    severity: Annotated[
        list[int] | None, typer.Option("--severity", min=1, max=5, help="Only this one; repeatable.")
    ] = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Table, values and pictures only.")] = False,
    worst: Annotated[int, typer.Option("--worst", min=0, help="Pictures of so many worst cases.")] = 8,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model on annotated data, beside what a user would do without one.

    Writes table.md, scores.csv, plots, and worst/01.png on: truth on the left, what was found on the right.
    """
    from tqdm import tqdm

    from napari_sam2.evaluation import report
    from napari_sam2.evaluation.clicks import ImagePrompts
    from napari_sam2.evaluation.evaluate import EvaluationProtocol, Settings, suited_to
    from napari_sam2.evaluation.evaluate import evaluate as measure
    from napari_sam2.evaluation.extras import need
    from napari_sam2.evaluation.metrics import FrameRule
    from napari_sam2.evaluation.objects import Choice, Prompting
    from napari_sam2.evaluation.robustness import corruptions_named, robustness
    from napari_sam2.evaluation.robustness import write as write_robustness
    from napari_sam2.imaging.corruptions import SEVERITIES, Corruption
    from napari_sam2.inference.policy import TrackingPolicy
    from napari_sam2.io.datasets import open_dataset, read_dataset
    from napari_sam2.io.folders import make_folder

    if not no_plots:
        need("matplotlib", "Plots", "or go without with --no-plots")
    if not no_baseline:
        need("skimage", "The baselines", "or leave them out with --no-baseline")
    chosen = EvaluationProtocol(protocol.value)
    spoilt = corruptions_named(corruption) if corruption else tuple(Corruption) if corruptions else ()
    settings = Settings(
        prompting=Prompting(prompt.value),
        image_prompts=ImagePrompts(clicks, box=True, mask=True),
        choice=Choice(min_size, objects, seed),
        rule=FrameRule(skip_ends=not all_frames),
        rounds=rounds,
        focus=not whole,
        baseline=not no_baseline,
        policy=TrackingPolicy.for_stacks() if slices else TrackingPolicy(),
    )
    # Each is read once to find damaged ones before the long work, not in the middle of it.
    sequences = [known.sequence for known in read_dataset(suited_to(chosen, open_dataset(data)))]
    make_folder(out, "worst", overwrite)
    network = load(model, device)
    unit = "object" if chosen is EvaluationProtocol.CLICKS else "frame"
    with tqdm(unit=unit, disable=None) as bar:
        evaluation = measure(network, sequences, chosen, settings, bar.update)
    way = ", as slices" if slices else ""
    drawn = "" if objects is None else f", at most {objects} objects each (seed {seed})"
    title = f"{model} on {data.name}, protocol {chosen.value}{way}{drawn}"
    report.write(out, evaluation, sequences, not no_plots, worst, title)
    typer.echo(f"{title}\n\n{report.markdown(evaluation.rows)}\n")
    if spoilt:
        severities = tuple(sorted(set(severity or SEVERITIES)))
        with tqdm(unit=unit, disable=None) as bar:
            drops = list(
                robustness(network, sequences, chosen, settings, spoilt, severities, seed, bar.update)
            )
        typer.echo(f"{write_robustness(out, drops, title)}\n")
    typer.echo(f"Written to {out}")
