"""One seaborn style and one function a figure type; each draws into ``ax`` and returns the axes.

Colors are seaborn's color-blind palette and the perceptually even map "mako"; the truth is always
a dashed black line, so that a reader finds it in every figure.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from seaborn.utils import relative_luminance

if TYPE_CHECKING:
    from IPython.display import Audio

TRUTH = {"color": "black", "linestyle": "--", "linewidth": 1.4}


def set_style() -> None:
    """The one style of all notebooks: white grid, color-blind palette, modest resolution."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9)
    plt.rcParams.update(
        {"figure.figsize": (7, 3.6), "figure.dpi": 90, "figure.constrained_layout.use": True}
    )


def joint_table(
    table: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_label: str,
    column_label: str,
    ax: Axes | None = None,
) -> Axes:
    """Heat map of a probability table (K_x, K_y), the share of each cell in percent written in."""
    ax = ax or plt.gca()
    sns.heatmap(
        100 * np.asarray(table),
        ax=ax,
        annot=True,
        fmt=".1f",
        cmap="mako_r",
        cbar=False,
        xticklabels=list(columns),
        yticklabels=list(rows),
    )
    ax.set(xlabel=column_label, ylabel=row_label)
    ax.tick_params(axis="y", rotation=0)
    return ax


def paired_samples(
    images: np.ndarray, waveforms: Sequence[np.ndarray], texts: Sequence[str], *, rate: int
) -> list[Axes]:
    """A column a sample: image (H, W), waveform against milliseconds, and the text in words."""
    figure, axes = plt.subplots(
        2, len(images), figsize=(2.1 * len(images), 3.6), height_ratios=(3, 1.3), squeeze=False
    )
    for (top, bottom), image, waveform, text in zip(axes.T, images, waveforms, texts, strict=True):
        top.imshow(image, cmap="gray_r")
        top.set_title("\n".join(_wrap(text)), fontsize=9)
        top.axis("off")
        bottom.plot(1000 * np.arange(len(waveform)) / rate, waveform, linewidth=0.4)
        bottom.set(ylim=(-1, 1), yticks=[], xlim=(0, 650), xticks=(0, 300, 600), xlabel="ms")
        bottom.grid(visible=False)
    figure.align_ylabels()
    return list(axes.ravel())


def _wrap(text: str, width: int = 18) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def estimates(
    frame: pd.DataFrame,
    *,
    x: str,
    truth: float | Sequence[float] | None,
    y: str = "nats",
    by: str = "method",
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Estimates against ``x``, one line each value of ``by``, with the truth as a dashed line.

    Args:
        frame: tidy, one row an estimate, with the columns ``x``, ``y`` and ``by``; repetitions
            become a band of 90 % of them.
        truth: one number, or one for each distinct value of ``x`` in rising order, or None.
        log: a logarithmic horizontal axis, labeled at the values of ``x``.
    """
    ax = ax or plt.gca()
    sns.lineplot(
        frame, x=x, y=y, hue=by, style=by, ax=ax, errorbar=("pi", 90), markers=True, dashes=False
    )
    if truth is not None:
        positions = np.sort(frame[x].unique())
        ax.plot(positions, np.broadcast_to(truth, positions.shape), label="truth", **TRUTH)
    if log:
        ticks = sorted(frame[x].unique())
        ax.set(xscale="log", xticks=ticks, xticklabels=ticks)
        ax.minorticks_off()
    ax.legend(title=None, frameon=True)
    return ax


def error_table(errors: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Heat map of absolute errors in nats, tasks by estimators, on a scale from 0.003 to 1.

    ``errors`` has a row each (family, task) of its index, the rows of a family together, and a
    column each estimator; nan, drawn hatched, is what an estimator cannot do.
    """
    ax = ax or plt.gca()
    families, tasks = zip(*errors.index, strict=True)
    ticks = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
    sns.heatmap(
        errors.clip(ticks[0], ticks[-1]),
        mask=errors.isna(),
        annot=errors.map(lambda error: f"{error:.2f}" if error < 9.995 else "10+"),
        fmt="",
        annot_kws={"fontsize": 8},
        norm=LogNorm(ticks[0], ticks[-1]),
        cmap="mako_r",
        cbar_kws={"label": "absolute error in nats", "fraction": 0.025, "pad": 0.12},
        linewidths=0.5,
        yticklabels=tasks,
        ax=ax,
    )
    bar = ax.collections[0].colorbar
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks], minor=False)
    bar.minorticks_off()
    ax.grid(visible=False)
    ax.set_facecolor("0.93")
    ax.patch.set(hatch="///", edgecolor="0.8")
    starts = [row for row, family in enumerate(families) if family not in families[:row]]
    for start, end in zip(starts, [*starts[1:], len(families)], strict=True):
        ax.axhline(start, color="black", linewidth=1.5)
        place = (len(errors.columns) + 0.2, (start + end) / 2)
        ax.text(*place, families[start], va="center", fontweight="bold")
    ax.xaxis.tick_top()
    ax.set_xticks(ax.get_xticks(), list(errors.columns), rotation=45, ha="left")
    ax.set(xlabel="", ylabel="")
    return ax


def reliability(tables: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Accuracy against confidence, a line each table of `evaluation.reliability_table`.

    Bars are the intervals of the accuracy; on the dashed line probabilities are right.
    """
    ax = ax or plt.gca()
    for name, table in tables.items():
        x, y = table["confidence"], table["accuracy"]
        bars = [y - table["low"], table["high"] - y]
        ax.errorbar(x, y, np.clip(bars, 0, None), fmt="o-", capsize=2, label=name)
    low = min(table["confidence"].min() for table in tables.values())
    ax.plot([low, 1], [low, 1], label="right probabilities", **TRUTH)
    ax.set(xlabel="confidence", ylabel="accuracy")
    ax.legend()
    return ax


def stacked_bars(
    parts: dict[str, dict[str, float]],
    *,
    starts: dict[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Horizontal bars of summands, as in a chain rule: ``parts[bar][summand] = nats``.

    A bar begins at zero, or where ``starts[bar]`` says, so that what two bars share can be drawn
    one above the other.
    """
    ax = ax or plt.gca()
    names = list(dict.fromkeys(name for summands in parts.values() for name in summands))
    colors = dict(zip(names, sns.color_palette(n_colors=len(names)), strict=True))
    for row, (bar, summands) in enumerate(parts.items()):
        left = (starts or {}).get(bar, 0.0)
        for name, nats in summands.items():
            ax.barh(row, nats, left=left, color=colors[name], edgecolor="white", label=name)
            if nats > 0.03 * max(sum(s.values()) for s in parts.values()):
                ink = "white" if relative_luminance(colors[name]) < 0.25 else "black"
                style = {"ha": "center", "va": "center", "fontsize": 9, "color": ink}
                ax.text(left + nats / 2, row, f"{nats:.2f}", **style)
            left += nats
    handles = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    ax.legend(handles.values(), handles, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    ax.set(yticks=range(len(parts)), yticklabels=list(parts), xlabel="nats")
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    return ax


def audio_player(waveform: np.ndarray, rate: int) -> "Audio":
    """A player for a waveform (T,), brought to full loudness: the last line of a notebook's cell.

    The sound is stored in the notebook, at two bytes a sample and a third more for its encoding.
    """
    from IPython.display import Audio  # here, as only a notebook needs it, and brings it

    return Audio(np.asarray(waveform), rate=rate)


def pictures(
    images: np.ndarray, titles: Sequence[object] | None = None, *, columns: int = 10
) -> list[Axes]:
    """Gray images (N, H, W) in rows of ``columns``, white ink drawn black, a title above each."""
    titles = [""] * len(images) if titles is None else titles
    rows = -(-len(images) // columns)
    height = 0.9 if any(map(str, titles)) else 0.7
    _, axes = plt.subplots(rows, columns, figsize=(0.75 * columns, height * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        ax.imshow(image, cmap="gray_r")
        ax.set_title(str(title), fontsize=8)
    return list(axes.flat[: len(images)])


def class_map(
    points: np.ndarray,
    classes: Sequence[object],
    kinds: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Points (N, 2) without axes, a color each class and, if given, a marker each kind."""
    ax = ax or plt.gca()
    palette = "tab10" if len(np.unique(classes)) <= 10 else "husl"
    names = np.asarray(classes).astype(str)  # else numbers would be a scale, not names
    sns.scatterplot(
        x=points[:, 0],
        y=points[:, 1],
        hue=names,
        hue_order=[str(name) for name in np.unique(classes)],
        style=kinds,
        palette=palette,
        s=22,
        ax=ax,
    )
    ax.set(xticks=[], yticks=[])
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    return ax
