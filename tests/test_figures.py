"""`figures.py`: a figure shows the values that it was given."""

import base64
import io
import re
import tomllib
import wave
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from simmim_lite import figures
from simmim_lite.figures import _diagrams


@pytest.fixture
def ax() -> Iterator[Axes]:
    plt.switch_backend("agg")
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_audio_player_contains_the_waveform_at_its_rate():
    waveform = np.sin(np.arange(800) / 5) / 4
    html = figures.audio_player(waveform, 8000)._repr_html_()
    encoded = re.search(r"data:audio/wav;base64,([\w+/=]+)", html)[1]
    with wave.open(io.BytesIO(base64.b64decode(encoded))) as file:
        assert (file.getframerate(), file.getnframes()) == (8000, 800)
        samples = np.frombuffer(file.readframes(800), "<i2") / 2**15
    np.testing.assert_allclose(samples, waveform / np.abs(waveform).max(), atol=1e-4)


def test_pictures_show_each_image_in_its_place(ax):
    images = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    axes = figures.pictures(images, ["a", 2, "c"], columns=2)
    assert [panel.get_title() for panel in axes] == ["a", "2", "c"]
    for panel, image in zip(axes, images, strict=True):
        assert np.array_equal(panel.images[0].get_array(), image)
    assert len(axes[0].figure.axes) == 4
    assert not axes[0].figure.axes[3].axison
    assert axes[0].get_position().y0 > axes[2].get_position().y0
    plt.close(axes[0].figure)


def test_class_map_has_a_color_per_class_and_a_marker_per_kind(ax):
    points = np.array([[0.0, 1], [2, 3], [4, 5], [6, 7]])
    figures.class_map(points, [10, 9, 10, 9], ["x", "x", "y", "y"])
    drawn = ax.collections[0]
    assert np.array_equal(drawn.get_offsets(), points)
    colors = [tuple(color) for color in drawn.get_facecolors()]
    assert colors[0] == colors[2] != colors[1] == colors[3]
    assert len(drawn.get_paths()) == 4
    assert not np.array_equal(drawn.get_paths()[0].vertices, drawn.get_paths()[2].vertices)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["9", "10", "x", "y"]
    figures.class_map(points, ["a", "b", "a", "b"])


def test_reliability_draws_each_table_with_its_intervals_and_the_diagonal(ax):
    table = pd.DataFrame(
        {"confidence": [0.5, 0.9], "accuracy": [0.4, 1.0], "low": [0.3, 0.9], "high": [0.6, 1.0]}
    )
    assert figures.reliability({"one": table, "two": table / 2}) is ax
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(names) == ["one", "perfect calibration", "two"]
    truth = next(line for line in ax.lines if line.get_label() == "perfect calibration")
    assert truth.get_xdata().tolist() == truth.get_ydata().tolist() == [0.25, 1]
    segments = ax.collections[0].get_segments()
    assert np.allclose(segments, [[[0.5, 0.3], [0.5, 0.6]], [[0.9, 0.9], [0.9, 1.0]]])


DIAGRAMS = sorted(path.stem for path in _diagrams.FOLDER.glob("*.toml"))


@pytest.mark.parametrize("name", DIAGRAMS)
def test_diagram_draws_its_boxes_and_arrows_inside_the_picture(name: str):
    plt.switch_backend("agg")
    content = tomllib.loads((_diagrams.FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    ax = figures.diagram(name)
    texts = [text.get_text() for text in ax.texts]
    wanted = [box["text"] for box in content["box"]]
    assert sorted(texts) == sorted(
        wanted + [arrow["text"] for arrow in content.get("arrow", ()) if arrow.get("text")]
    )
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(content.get("arrow", ()))
    ax.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    for text in ax.texts:
        box = text.get_window_extent()
        assert frame.x0 - 2 <= box.x0 <= box.x1 <= frame.x1 + 2, text.get_text()
        assert frame.y0 - 2 <= box.y0 <= box.y1 <= frame.y1 + 2, text.get_text()
    plt.close(ax.figure)


def test_an_unknown_diagram_is_refused():
    with pytest.raises(ValueError, match=r"name: expected one of .*'notebooks'"):
        figures.diagram("nowhere")


def test_show_outside_a_notebook_prints_the_caption(ax, capsys):
    figures.show("Figure 1. A line.", alt="a line")
    assert capsys.readouterr().out == "Figure 1. A line.\n"


def test_show_in_a_notebook_displays_text_and_caption_and_closes_the_figure(ax, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append((a, k)))
    figures.show("Figure 2. A line.", alt="a line that rises")
    assert shown[0] == ((ax.figure,), {"metadata": {"image/png": {"alt": "a line that rises"}}})
    assert shown[1][0][0]["text/markdown"] == "**Figure 2.** A line."
    assert not plt.fignum_exists(ax.figure.number)


def test_explore_draws_again_for_each_value(monkeypatch):
    plt.switch_backend("agg")
    drawn = []
    monkeypatch.setattr("ipywidgets.interact", lambda f, **s: [f(a=v) for v in s["a"]])
    figures.explore(lambda a: drawn.append(a), a=(0.0, 1.0, 0.5))
    assert drawn == [0.0, 1.0, 0.5]
