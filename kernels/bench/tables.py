"""The measured CSV as Markdown, put into a page between two marks.

Run it from a checkout::

    python -m bench.tables docs/explain/speed.csv docs/explain/speed.md
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

BEGIN, END = "<!-- bench.tables: begin -->", "<!-- bench.tables: end -->"

Row = dict[str, str]


def tables(rows: list[Row]) -> str:
    """Return what was measured on and the best of the repeats: seconds, ratios, and memory."""
    sides = list(dict.fromkeys(row["who"] for row in rows))
    cases = list(dict.fromkeys(row["case"] for row in rows))
    base = next(side for side in sides if side.startswith("transformers"))
    first = rows[0]
    lines = [
        f"{first['model']} at {first['image_size']} px, {first['cpu']}, {first['threads']} thread(s), torch "
        f"{first['torch']}, transformers {first['transformers']}, {first['date']}. CPU seconds, the best of "
        f"the repeats; in brackets how many times as fast as {base}.",
        "",
        f"| | {' | '.join(sides)} |",
        f"|---|{'---|' * len(sides)}",
    ]
    for case in cases:
        best = {side: _best(rows, case, side, "cpu_s") for side in sides}
        cells = [_seconds(best[side], best[base], side == base) for side in sides]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    lines += ["", f"| memory at the worst moment, MB | {' | '.join(sides)} |", f"|---|{'---|' * len(sides)}"]
    for case in cases:
        peaks = [_best(rows, case, side, "peak_mb") for side in sides]
        if any(peak is not None for peak in peaks):
            cells = ["" if peak is None else f"{peak:.0f}" for peak in peaks]
            lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def put_between(page: str, text: str) -> str:
    """Return `page` with `text` between the marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"The page needs the two lines {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _best(rows: list[Row], case: str, side: str, what: str) -> float | None:
    found = [float(row[what]) for row in rows if (row["case"], row["who"]) == (case, side)]
    # What could not be measured is negative.
    return min((value for value in found if value >= 0), default=None)


def _seconds(own: float | None, base: float | None, is_base: bool) -> str:
    if own is None:
        return ""
    if is_base or base is None:
        return f"{own:.2f}"
    return f"{own:.2f} (**{base / own:.2f}**)"


def main() -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description="Put the measured tables into a page.")
    parser.add_argument("csv", type=Path)
    parser.add_argument("page", type=Path)
    args = parser.parse_args()
    with args.csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    args.page.write_text(put_between(args.page.read_text(), tables(rows)))


if __name__ == "__main__":
    main()
