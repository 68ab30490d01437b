"""The results as one HTML page that contains everything it shows and loads no other file."""

import base64
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

from reproduction.claims import Outcome, Results
from reproduction.tables import bounds_text, measured, number
from simmim_lite.storage import write_atomically

_PAGES_STYLE = Path(__file__).resolve().parents[1] / "notebooks" / "tools" / "pages.css"
_VERDICTS = {"pass": "holds", "fail": "fails", "error": "not measured", "reported": "reported"}
_STYLE = """
main { max-width: 1240px; }
.wide { overflow-x: auto; }
.wide table { display: table; width: 100%; min-width: 1000px; }
.claims { table-layout: fixed; }
.claims th:nth-child(1) { width: 23%; }
.claims th:nth-child(2) { width: 20%; }
.claims th:nth-child(3) { width: 16%; }
.claims th:nth-child(4) { width: 185px; }
.claims th:nth-child(5) { width: 9%; }
.claims th:nth-child(6) { width: 15%; }
.claims th:nth-child(7) { width: 8%; }
.claims th:nth-child(8) { width: 4%; }
td.number, th.number { text-align: right; }
.quiet { color: var(--quiet); font-size: 0.92em; overflow-wrap: anywhere; }
.verdict { font-weight: 600; }
.pass { color: light-dark(#14713d, #6fd195); }
.fail, .error { color: var(--failure); }
.reported { color: var(--quiet); }
.picture { display: block; max-width: none; }
.picture .axis { stroke: var(--line); }
.picture .allowed { fill: currentColor; opacity: 0.13; }
.picture .bound { stroke: var(--text); stroke-width: 1.5; }
.picture .truth { fill: none; stroke: var(--text); stroke-width: 1.3; }
.picture .seed { fill: currentColor; opacity: 0.75; }
.picture .interval { stroke: currentColor; stroke-width: 2.4; opacity: 0.7; }
.picture .mean { stroke: currentColor; stroke-width: 2.4; }
figure { margin: 1em 0; }
figure img { background: #fff; border-radius: 6px; padding: 6px; }
figcaption { color: var(--quiet); font-size: 0.92em; }
"""
_LEGEND = """A claim <b>holds</b> if the mean over its seeds is within its bounds and, where the
bound says “each seed”, every seed is. The interval is a 95 % interval: Student’s t over the seeds
or, for a single run, over its test items. The <b>worst seed</b> is the seed that is closest to its
bound. Each small picture has its own scale: a dot is a seed, the thick line is the interval, the
claim holds in the shaded part, and a diamond is the true value."""


def write_report(results: Results, path: Path) -> None:
    """Write one HTML file: all claims with reference and bounds, figures, cost, environment."""
    systems = [_system(name, results) for name in results.claims]
    closing = [_information(results), _cost(results), _environments(results)]
    body = "\n".join([_summary(results), *systems, *closing])
    style = _PAGES_STYLE.read_text(encoding="utf-8")
    style = re.sub(r"@font-face \{[^}]*\}", "", style)  # fonts are separate files
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><title>Claims, measured · simmim-lite</title>'
        f"<style>{style}{_STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page.encode())


def _summary(results: Results) -> str:
    outcomes = results.outcomes
    counts = {verdict: sum(o.verdict == verdict for o in outcomes) for verdict in _VERDICTS}
    numbers = [_counted(counts[v], v) for v in _VERDICTS if counts[v] or v == "fail"]
    data = "full data sets" if results.full else "embedded data"
    seconds = sum(run.cpu_seconds for run in results.runs)
    times = [(datetime.fromisoformat(run.date), run.wall_seconds) for run in results.runs]
    start = min(date - timedelta(seconds=wall) for date, wall in times)
    minutes = (max(date for date, _ in times) - start).total_seconds() / 60
    cost = f"took {seconds / 60:.1f} CPU minutes, {minutes:.1f} minutes from start to end"
    parts = [
        "<h1>Claims, measured</h1>",
        f"<p><b>{len(outcomes)} claims on the {data}: {escape(', '.join(numbers))}.</b> "
        f"{len(results.runs)} runs of {len(results.claims)} experiments {cost}. "
        f"Commit {escape(_commits(results))}. "
        "Written by <code>python -m simmim_lite reproduce</code>.</p>",
    ]
    if results.failed:
        lines = "".join(f"<li>{_failure(outcome)}</li>" for outcome in results.failed)
        parts.append(f'<div class="failure"><p>Claims that do not hold:</p><ul>{lines}</ul></div>')
    return "\n".join([*parts, f'<p class="quiet">{_LEGEND}</p>'])


def _counted(number: int, verdict: str) -> str:
    text = _VERDICTS[verdict]
    one_verb = verdict in ("pass", "fail") and number != 1
    return f"{number} {text.removesuffix('s') if one_verb else text}"


def _failure(outcome: Outcome) -> str:
    errors = [f"seed {run.seed}: {run.error}" for run in outcome.runs if run.error]
    reason = "; ".join(errors) or f"{measured(outcome)}, bound {bounds_text(outcome.claim)}"
    return escape(f"{outcome.experiment}: {outcome.claim.name}: {reason}")


def _system(name: str, results: Results) -> str:
    runs = results.runs_of(name)
    outcomes = [outcome for outcome in results.outcomes if outcome.experiment == name]
    seeds = f"{len(runs)} seed{'s' * (len(runs) != 1)}"
    seconds = [run.cpu_seconds for run in runs]
    cost = f"{seeds}, {_spread(seconds)} CPU seconds each" if runs else "not run"
    table = _table(
        ("claim", "reference", "measured: mean<br>[95 %]", "", "worst seed", "bound", "", ""),
        map(_row, outcomes),
        ("", "", "number", "", "number", "", "", ""),
        kind="claims",
    )
    return f'<h2>{escape(_title(name))}</h2>\n<p class="quiet">{cost}</p>\n{table}'


def _row(outcome: Outcome) -> tuple[str, ...]:
    from reproduction.charts import row_picture  # here, so that no run loads matplotlib

    claim = outcome.claim
    verdict = f'<span class="verdict {outcome.verdict}">{_VERDICTS[outcome.verdict]}</span>'
    source = f'<br><span class="quiet">{_linked(claim.source)}</span>' if claim.source else ""
    worst = number(outcome.worst, claim.unit) if len(outcome.values) > 1 else ""
    return (
        f'{escape(claim.name)}<br><span class="quiet">{claim.id}</span>',
        escape(claim.truth) + source,
        escape(measured(outcome)).replace(" [", "<br>["),
        row_picture(outcome),
        escape(worst),
        _unbroken(bounds_text(claim)),
        verdict,
        f'<span class="quiet">{escape(claim.notebook)}</span>',
    )


def _unbroken(bounds: str) -> str:
    """One line for each bound, without a line break between number, sign and unit."""
    lines = escape(bounds).replace(" ", "&nbsp;").split(",&nbsp;")
    return "<br>".join(lines).replace("each&nbsp;seed&nbsp;", "each seed ")


def _information(results: Results) -> str:
    from reproduction.charts import information_figure

    svg = information_figure(results)
    if svg is None:
        return ""
    caption = "Measured minus true information: seeds as dots, 95 % intervals as lines."
    return f"<h2>Measured and true information</h2>{_figure(svg, caption)}"


def _figure(svg: str, caption: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    image = f'<img alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _cost(results: Results) -> str:
    from reproduction.charts import cost_figure

    rows = []
    for name in results.claims:
        runs = results.runs_of(name)
        if runs:
            cpu, wall = [r.cpu_seconds for r in runs], [r.wall_seconds for r in runs]
            peak = max(run.peak_bytes for run in runs) / 2**20
            totals = (f"{sum(cpu):.0f}", f"{sum(wall):.0f}", f"{peak:.0f}")
            rows.append((escape(_title(name)), str(len(runs)), _spread(cpu), *totals))
    total = [sum(getattr(r, n) for r in results.runs) for n in ("cpu_seconds", "wall_seconds")]
    rows.append(("<b>all</b>", str(len(results.runs)), "", *(f"{each:.0f}" for each in total), ""))
    columns = ("experiment", "seeds", "CPU s per seed", "CPU s", "wall s", "peak MB")
    table = _table(columns, rows, ("", *["number"] * 5))
    caption = "CPU seconds of each experiment; each part of a bar is one seed."
    return f"<h2>Cost</h2>{table}{_figure(cost_figure(results), caption)}"


def _environments(results: Results) -> str:
    """One table for each combination of machine and state of the code."""
    seen: list[dict] = []
    for run in results.runs:
        if run.provenance not in seen:
            seen.append(run.provenance)
    parts = ["<h2>Environment</h2>"]
    for each in seen:
        machine = each["machine"]
        runs = [run for run in results.runs if run.provenance == each]
        rows = [
            ("experiments", ", ".join(dict.fromkeys(_title(run.experiment) for run in runs))),
            ("date", f"{min(run.date for run in runs)} to {max(run.date for run in runs)}"),
            ("commit", _commit(each)),
            ("code", f"SHA-256 {each['code']}"),
            ("machine", f"{machine['processor']}, {machine['cores']} cores"),
            ("memory", f"{(machine['memory'] or 0) / 2**30:.1f} GB"),
            ("accelerator", machine["accelerator"]),
            ("system", machine["system"]),
            ("versions", ", ".join(f"{n} {v}" for n, v in each["versions"].items())),
            *((f"data: {name}", f"SHA-256 {digest}") for name, digest in each["data"].items()),
        ]
        parts.append(_table((), [tuple(map(escape, row)) for row in rows], ("", "")))
    return "\n".join(parts)


def _table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    classes: Sequence[str],
    *,
    kind: str = "",
) -> str:
    """An HTML table; cells are HTML, and each column has a class."""

    def line(cells: Sequence[str], tag: str) -> str:
        made = (
            f'<{tag} class="{kind}">{cell}</{tag}>' if kind else f"<{tag}>{cell}</{tag}>"
            for cell, kind in zip(cells, classes, strict=True)
        )
        return f"<tr>{''.join(made)}</tr>"

    head = f"<thead>{line(columns, 'th')}</thead>" if columns else ""
    body = "".join(line(row, "td") for row in rows)
    table = f'<table class="{kind}">{head}<tbody>{body}</tbody></table>'
    return f'<div class="wide">{table}</div>' if kind else table


def _linked(text: str) -> str:
    """Escaped text with web addresses and arXiv numbers as links."""
    text = escape(text)
    text = re.sub(r"https?://[^\s,;)]+", lambda m: f'<a href="{m[0]}">{m[0]}</a>', text)
    return re.sub(
        r"(?<!/)arXiv[: ](\d{4}\.\d{4,5})",
        lambda m: f'<a href="https://arxiv.org/abs/{m[1]}">{m[0]}</a>',
        text,
    )


def _title(name: str) -> str:
    return name[:1].upper() + name[1:].replace("-", " ").replace("_", " ")


def _spread(seconds: Sequence[float]) -> str:
    low, high = (
        f"{each:.3g}" if each < 100 else f"{each:.0f}" for each in (min(seconds), max(seconds))
    )
    return low if low == high else f"{low} to {high}"


def _commit(provenance: dict) -> str:
    if not provenance["commit"]:
        return "unknown"
    return provenance["commit"] + ", with uncommitted changes" * provenance["changed"]


def _commits(results: Results) -> str:
    found = dict.fromkeys(_commit(run.provenance) for run in results.runs)
    return "; ".join(text[:12] + text[40:] for text in found)
