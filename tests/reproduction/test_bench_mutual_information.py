"""The heat map of the benchmark of estimators shows the values that it was given."""

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from reproduction.peers.bench_mutual_information import error_table

ERRORS = pd.DataFrame(
    {"ours": [0.0, 0.02, 0.1], "CCA": [0.01, math.nan, 1234.5]},
    index=[("Gaussian", "1 pair"), ("Gaussian", "2 pairs"), ("manifold", "sine")],
)


@pytest.fixture
def ax() -> Iterator[Axes]:
    plt.switch_backend("agg")
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_error_table_shows_each_error_and_hatches_missing_ones(ax):
    error_table(ERRORS, ax)
    cells = ax.collections[0]
    assert np.array_equal(np.ma.getmaskarray(cells.get_array()), ERRORS.isna())
    written = {(text.get_position()): text.get_text() for text in ax.texts}
    assert [written[column + 0.5, 0.5] for column in (0, 1)] == ["0.00", "0.01"]
    assert written[0.5, 1.5] == "0.02"
    assert (1.5, 1.5) not in written
    assert written[1.5, 2.5] == "10+"
    assert ax.patch.get_hatch()


def test_error_table_is_darker_for_larger_errors(ax):
    error_table(ERRORS, ax)
    ax.figure.canvas.draw()
    gray = ax.collections[0].get_facecolors()[:, :3].mean(axis=1).reshape(3, 2)
    assert gray[0, 0] > gray[0, 1] > gray[1, 0] > gray[2, 0] > gray[2, 1]


def test_error_table_names_tasks_estimators_and_families(ax):
    error_table(ERRORS, ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1 pair", "2 pairs", "sine"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["ours", "CCA"]
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["Gaussian"] == 1.0  # the middle of its two rows
    assert heights["manifold"] == 2.5
