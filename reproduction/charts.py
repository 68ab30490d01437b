"""Pictures of claims: one in each row of a table, and figures that compare claims."""

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from html import escape

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduction.claims import Outcome, Results
from reproduction.tables import bounds_text, measured
from simmim_lite import figures

_WIDTH, _HEIGHT, _MARGIN = 170, 26, 9  # pixels of the picture in a row
_WIDE = 30  # above this ratio of the largest to the smallest number, the axis is logarithmic


def row_picture(outcome: Outcome) -> str:
    """Return SVG for a row of a table, on its own scale: seeds, interval, mean, bounds, true value.

    The claim holds in the shaded part. Colors are those of the page. The text is empty if there is
    only one number, because there is nothing to compare it with.
    """
    low, high = outcome.bounds
    values, target = outcome.values, outcome.claim.target
    ends = [end for end in (low, high) if math.isfinite(end)]
    marks = [*values, *ends, *([] if target is None else [target])]
    if not values or not all(map(math.isfinite, marks)) or len(set(marks)) < 2:
        return ""
    x = _scale(marks, outcome.interval or ())
    y, parts = _HEIGHT / 2, []
    if ends:
        left, right = (
            x(end) if math.isfinite(end) else edge
            for end, edge in ((low, 0.0), (high, float(_WIDTH)))
        )
        parts.append(_rectangle("allowed", left, 2, max(right - left, 1), _HEIGHT - 4))
    parts.append(_line("axis", 0, y, _WIDTH, y))
    parts += [_line("bound", x(end), 2, x(end), _HEIGHT - 2) for end in ends]
    if target is not None:
        parts.append(f'<path class="truth" d="M{x(target) - 5:.1f} {y} l5 -5 l5 5 l-5 5 z"/>')
    if outcome.interval:
        first, last = map(x, outcome.interval)
        parts.append(_line("interval", first, y, last, y))
    parts += [f'<circle class="seed" cx="{x(value):.1f}" cy="{y}" r="3.4"/>' for value in values]
    if len(values) > 1:
        parts.append(_line("mean", x(outcome.mean), y - 6, x(outcome.mean), y + 6))
    title = escape(f"{measured(outcome)}; bound: {bounds_text(outcome.claim) or 'none'}")
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    kind = f"picture {outcome.verdict}"
    return f'<svg class="{kind}" role="img" {size}><title>{title}</title>{"".join(parts)}</svg>'


def _scale(marks: Sequence[float], interval: Sequence[float]) -> Callable[[float], float]:
    """Function from numbers to pixels: linear, or logarithmic if the numbers differ widely.

    On a logarithmic scale, an interval that goes below zero ends at the left edge.
    """
    wide = min(marks) > 0 and max(marks) / min(marks) > _WIDE
    marks = [*marks, *(end for end in interval if end > 0 or not wide)]
    place = math.log if wide else float
    start, end = place(min(marks)), place(max(marks))
    room = _WIDTH - 2 * _MARGIN

    def pixels(value: float) -> float:
        if wide and value <= 0:
            return 0.0
        return _MARGIN + room * (place(value) - start) / (end - start)

    return pixels


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rectangle(kind: str, x: float, y: float, width: float, height: float) -> str:
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}/>'


def information_figure(results: Results) -> str | None:
    """Return SVG: measured minus true information in nats; None if no claim has a true value."""
    chosen = [
        outcome
        for outcome in results.outcomes
        if outcome.claim.unit == "nats" and outcome.claim.target is not None and outcome.values
    ]
    if not chosen:
        return None

    def draw(ax: Axes) -> None:
        for row, outcome in enumerate(chosen):
            truth, color = outcome.claim.target, f"C{0 if outcome.verdict == 'pass' else 3}"
            if outcome.interval:
                ends = [end - truth for end in outcome.interval]
                ax.plot(ends, [row, row], color=color, linewidth=2, solid_capstyle="butt")
            errors = [value - truth for value in outcome.values]
            ax.plot(errors, [row] * len(errors), "o", color=color, alpha=0.6, markersize=5)
        ax.axvline(0, **figures.TRUTH)
        names = [f"{outcome.claim.name} ({outcome.claim.target:.3f})" for outcome in chosen]
        _label(ax, names)
        ax.set_xlabel("measured minus true, nats (the true value is in brackets)")

    return _svg(draw, len(chosen))


def cost_figure(results: Results) -> str:
    """Return SVG: CPU seconds of each experiment, a bar with one part for each seed."""
    names = [name for name in results.claims if results.runs_of(name)]

    def draw(ax: Axes) -> None:
        for row, name in enumerate(names):
            left = 0.0
            for run in results.runs_of(name):
                ax.barh(row, run.cpu_seconds, left=left, color="C0", edgecolor="white")
                left += run.cpu_seconds
        _label(ax, names)
        ax.set_xlabel("CPU seconds")

    return _svg(draw, len(names))


def _label(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), [textwrap.fill(name, 46) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")


def _svg(draw: Callable[[Axes], None], rows: int) -> str:
    """SVG text with the same bytes in every run; letters are outlines."""
    with rc_context(), sns.axes_style("whitegrid"):
        figures.set_style()
        plt.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "simmim-lite"})
        figure = Figure(figsize=(9, 0.8 + 0.36 * rows), layout="constrained")
        draw(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
