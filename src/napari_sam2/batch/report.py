"""What came of a batch: a table, and one page with pictures that needs nothing beside it."""

from __future__ import annotations

import base64
import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from html import escape
from pathlib import Path

from napari_sam2.batch.check import jobs_of
from napari_sam2.batch.outcome import Outcome, Status
from napari_sam2.batch.plan import Plan
from napari_sam2.io.output import whole_file

PAGE = "report.html"
TABLE = "report.csv"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: #1c1e21; background: #fff }
h1 { font-size: 1.4rem; margin-bottom: .2rem }
p { margin: .2rem 0 1.2rem; color: #5b6168 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .45rem .6rem; border-bottom: 1px solid #e3e5e8; vertical-align: top }
th { font-weight: 600; color: #5b6168; position: sticky; top: 0; background: #fff }
td.number { text-align: right; font-variant-numeric: tabular-nums }
td.failed { color: #b3261e; font-weight: 600 }
td .message { color: #b3261e; max-width: 34rem }
img { display: block; max-width: 30rem; height: auto; image-rendering: auto }
@media (prefers-color-scheme: dark) {
  body, th { background: #16181b; color: #e6e8ea } th, p { color: #9aa1a9 }
  th, td { border-color: #2c3036 } td.failed, td .message { color: #f2827a }
}
"""


def write_report(plan: Plan, outcomes: Sequence[Outcome]) -> Path:
    """Write ``report.html`` and ``report.csv`` into the plan's folder, in place of earlier ones.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    StorageError
        The folder cannot be written to.
    """
    pictures = {job.name: job.thumbnail for job in jobs_of(plan)}
    with whole_file(plan.folder / TABLE, overwrite=True) as partial:
        _write_table(partial, outcomes)
    page = plan.folder / PAGE
    with whole_file(page, overwrite=True) as partial:
        partial.write_text(_page(plan, outcomes, pictures), encoding="utf-8")
    return page


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return a line: how many sequences ended in which way."""
    counts = Counter(one.status for one in outcomes)
    told = ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])
    frames = sum(one.frames for one in outcomes)
    return f"{len(outcomes)} sequence{'s' * (len(outcomes) != 1)}: {told}; {frames} frames"


def _write_table(path: Path, outcomes: Sequence[Outcome]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Outcome)])
        table.writeheader()
        for one in outcomes:
            table.writerow(asdict(one) | {"status": one.status.value})


def _page(plan: Plan, outcomes: Sequence[Outcome], pictures: dict[str, Path]) -> str:
    # What needs somebody's attention comes first; the rest keeps the order of the plan.
    ordered = sorted(outcomes, key=lambda one: one.status is not Status.FAILED)
    rows = "\n".join(_row(one, pictures[one.name]) for one in ordered)
    settings = plan.settings
    how = f"model {settings.model}, way {settings.way.value}"
    if settings.cut is not None:
        how += f", chunks of {settings.cut.frames} frames that share {settings.cut.shared}"
    heads = ("result", "status", "first, middle and last frame", "seconds", "frames", "objects", "confidence")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>napari-sam2 batch: {escape(plan.folder.name)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(summary(outcomes))}</h1>
<p>{escape(how)}. Confidence is the overlap with the true mask that the network predicts, times the
probability that the object is in view: the mean over all objects and frames.</p>
<table>
<thead><tr>{"".join(f"<th>{head}</th>" for head in heads)}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(one: Outcome, picture: Path) -> str:
    failed = one.status is Status.FAILED
    about = f"<strong>{escape(one.name)}</strong><br>{escape(one.image)}"
    if one.message:
        about += f'<div class="message">{escape(one.message)}</div>'
    numbers = (
        ("",) * 4 if failed else (f"{one.seconds:.1f}", one.frames, one.objects, f"{one.confidence:.2f}")
    )
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    shown = "" if failed else _embedded(picture, one.name)
    kind = ' class="failed"' if failed else ""
    return f"<tr><td>{about}</td><td{kind}>{one.status.value}</td><td>{shown}</td>{cells}</tr>"


def _embedded(picture: Path, name: str) -> str:
    try:
        data = base64.b64encode(picture.read_bytes()).decode("ascii")
    except OSError:
        return ""
    return f'<img src="data:image/png;base64,{data}" alt="{escape(name, quote=True)}">'
