"""Diagrams of boxes and arrows, drawn from the descriptions in ``figures/diagrams``."""

import tomllib
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import BoxStyle, Ellipse, FancyArrowPatch, FancyBboxPatch, Patch

from simmim_lite._arguments import check_choice

FOLDER = Path(__file__).parent / "diagrams"
INK = "0.25"


def diagram(name: str) -> Axes:
    """Draw the diagram ``name`` into a new figure.

    Its file ``name.toml`` gives the size in inches, and lists of boxes and arrows. A box has an
    ``id``, the center ``at``, a ``text``, and may have ``color`` (of the palette), ``width``,
    ``height`` and ``shape`` ("round", "circle", "plain"). An arrow goes ``from`` one id ``to``
    another, and may have ``text``, ``bend`` and ``style`` ("solid", "dashed").
    """
    check_choice("name", name, sorted(path.stem for path in FOLDER.glob("*.toml")))
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    width, height = content["size"]
    _, ax = plt.subplots(figsize=(width, height))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    boxes = {box["id"]: _draw_box(ax, box) for box in content.get("box", ())}
    for arrow in content.get("arrow", ()):
        _draw_arrow(ax, boxes[arrow["from"]], boxes[arrow["to"]], arrow)
    return ax


def _draw_box(ax: Axes, box: dict[str, Any]) -> tuple[tuple[float, float], Patch]:
    x, y = box["at"]
    shape = box.get("shape", "round")
    height = box.get("height", 0.6)
    width = box.get("width", height if shape == "circle" else 1.3)
    color = sns.color_palette("pastel")[box["color"]] if "color" in box else "white"
    look: dict[str, Any] = {"facecolor": color, "edgecolor": INK, "zorder": 2}
    patch: Patch
    if shape == "circle":
        patch = Ellipse((x, y), width, height, **look)
    else:
        style = BoxStyle("round", pad=0, rounding_size=0.1)
        patch = FancyBboxPatch((x - width / 2, y - height / 2), width, height, style, **look)
    patch.set_visible(shape != "plain")
    ax.add_patch(patch)
    ax.text(x, y, box["text"], ha="center", va="center", fontsize=box.get("fontsize", 9), zorder=3)
    return (x, y), patch


def _draw_arrow(ax: Axes, start: tuple, end: tuple, arrow: dict[str, Any]) -> None:
    (from_place, from_patch), (to_place, to_patch) = start, end
    bend = arrow.get("bend", 0.0)
    ax.add_patch(
        FancyArrowPatch(
            from_place,
            to_place,
            patchA=from_patch,
            patchB=to_patch,
            shrinkA=1,
            shrinkB=1,
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=10,
            linestyle=arrow.get("style", "solid"),
            color=INK,
            zorder=1,
        )
    )
    if text := arrow.get("text"):
        dx, dy = to_place[0] - from_place[0], to_place[1] - from_place[1]
        x = (from_place[0] + to_place[0]) / 2 + bend * dy / 2
        y = (from_place[1] + to_place[1]) / 2 - bend * dx / 2
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        ax.text(x, y, text, ha="center", va="center", fontsize=8, bbox=paper, zorder=2)
