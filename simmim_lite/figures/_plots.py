"""Plots of estimates, tables, samples and classes."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from seaborn.utils import relative_luminance

from simmim_lite._arguments import as_array, as_probabilities

if TYPE_CHECKING:
    from IPython.display import Audio

TRUTH: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1.4}


def set_style() -> None:
    """Set the style of all notebooks: white grid, color-blind palette, modest resolution."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9)
    plt.rc("figure", figsize=(7, 3.6), dpi=90, **{"constrained_layout.use": True})


def joint_table(
    table: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_label: str,
    column_label: str,
) -> Axes:
    """Heat map of a probability table (K_x, K_y), with the percentage in each cell."""
    frame = pd.DataFrame(100 * as_probabilities("table", table), list(rows), list(columns))
    ax = sns.heatmap(frame, annot=True, fmt=".1f", cmap="mako_r", cbar=False, ax=plt.gca())
    ax.set(xlabel=column_label, ylabel=row_label)
    ax.tick_params(axis="y", rotation=0)
    return ax


def paired_samples(
    images: np.ndarray, waveforms: Sequence[np.ndarray], texts: Sequence[str], *, rate: int
) -> list[Axes]:
    """Columns of a caption, an image (height, width) and a waveform against milliseconds."""
    size = 2.1 * len(images), 3.6
    figure, axes = plt.subplots(2, len(images), figsize=size, height_ratios=(3, 1.3), squeeze=False)
    for (top, bottom), image, waveform, text in zip(axes.T, images, waveforms, texts, strict=True):
        top.imshow(image, cmap="gray_r")
        top.set_title(textwrap.fill(text, 18), fontsize=9)
        top.axis("off")
        bottom.plot(1000 * np.arange(len(waveform)) / rate, waveform, linewidth=0.4)
        bottom.set(ylim=(-1, 1), yticks=[], xlim=(0, 650), xticks=(0, 300, 600), xlabel="ms")
        bottom.grid(visible=False)
    figure.align_ylabels()
    return list(axes.ravel())


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
    """Estimates against ``x``, one line per value of ``by``, with a band for 90 % of repetitions.

    The frame has one row per estimate. The truth is one number, or one per distinct value of ``x``
    in ascending order, or None. ``log`` makes a logarithmic axis with ticks at the values of ``x``.
    """
    ax = ax or plt.gca()
    band, ticks = ("pi", 90), np.sort(frame[x].unique())
    sns.lineplot(
        frame, x=x, y=y, hue=by, style=by, ax=ax, errorbar=band, markers=True, dashes=False
    )
    if truth is not None:
        ax.plot(ticks, np.broadcast_to(truth, ticks.shape), label="truth", **TRUTH)
    if log:
        ax.set(xscale="log", xticks=ticks, xticklabels=ticks)
        ax.minorticks_off()
    ax.legend(title=None, frameon=True)
    return ax


def reliability(tables: Mapping[str, pd.DataFrame]) -> Axes:
    """Reliability diagrams with intervals, from `evaluation.reliability_table`, by classifier."""
    ax = plt.gca()
    for name, table in tables.items():
        x, y = table["confidence"], table["accuracy"]
        bars = [y - table["low"], table["high"] - y]
        ax.errorbar(x, y, np.clip(bars, 0, None), fmt="o-", capsize=2, label=name)
    low = min(table["confidence"].min() for table in tables.values())
    ax.plot([low, 1], [low, 1], label="perfect calibration", **TRUTH)
    ax.set(xlabel="confidence", ylabel="accuracy")
    ax.legend()
    return ax


def stacked_bars(
    parts: dict[str, dict[str, float]], *, starts: dict[str, float] | None = None
) -> Axes:
    """Stacked horizontal bars of terms, as in a chain rule: ``parts[bar][term] = nats``.

    A bar starts at 0 or at ``starts[bar]``, so that equal terms of two bars can be aligned.
    """
    ax = plt.gca()
    names = list(dict.fromkeys(name for terms in parts.values() for name in terms))
    colors = dict(zip(names, sns.color_palette(n_colors=len(names)), strict=True))
    for row, (bar, terms) in enumerate(parts.items()):
        left = (starts or {}).get(bar, 0.0)
        for name, nats in terms.items():
            ax.barh(row, nats, left=left, color=colors[name], edgecolor="white", label=name)
            if nats > 0.03 * max(sum(s.values()) for s in parts.values()):
                ink = "white" if relative_luminance(colors[name]) < 0.25 else "black"
                style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
                ax.text(left + nats / 2, row, f"{nats:.2f}", color=ink, **style)
            left += nats
    handles = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
    ax.legend(list(handles.values()), list(handles), ncols=4, **place)
    ax.set(yticks=range(len(parts)), yticklabels=list(parts), xlabel="nats")
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    return ax


def audio_player(waveform: np.ndarray, rate: int) -> "Audio":
    """Return a player for a waveform (samples,) at ``rate`` Hz, as the last line of a cell.

    The sound is scaled to full volume and stored in the notebook, 2.7 bytes per sample.
    """
    from IPython.display import Audio  # only notebooks need this package, and they have it

    return Audio(as_array("waveform", waveform), rate=rate)


def pictures(
    images: np.ndarray, titles: Sequence[object] | None = None, *, columns: int = 10
) -> list[Axes]:
    """Grayscale images (N, height, width) with titles, ``columns`` per row, drawn inverted."""
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
    points: np.ndarray, classes: Sequence[object], kinds: Sequence[str] | None = None
) -> Axes:
    """Points (N, 2) without axes, one color per class and, if given, one marker per kind."""
    points, names = as_array("points", points), as_array("classes", classes)
    order = np.unique(names)
    # Names as text: numbers would make a continuous scale.
    hues = {"hue": names.astype(str), "hue_order": [str(name) for name in order]}
    palette = "tab10" if len(order) <= 10 else "husl"
    ax = sns.scatterplot(
        x=points[:, 0], y=points[:, 1], **hues, style=kinds, palette=palette, s=22, ax=plt.gca()
    )
    ax.set(xticks=[], yticks=[])
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    return ax
