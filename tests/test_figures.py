"""`figures.py`: what a reader reads off a figure is what was put in."""

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from simmim_lite import figures

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


def test_error_table_says_every_error_and_blanks_what_is_missing(ax):
    assert figures.error_table(ERRORS, ax=ax) is ax
    cells = ax.collections[0]
    assert np.array_equal(np.ma.getmaskarray(cells.get_array()), ERRORS.isna())
    written = {(text.get_position()): text.get_text() for text in ax.texts}
    assert [written[column + 0.5, 0.5] for column in (0, 1)] == ["0.00", "0.01"]
    assert written[0.5, 1.5] == "0.02"
    assert (1.5, 1.5) not in written
    assert written[1.5, 2.5] == "10+"
    assert ax.patch.get_hatch()


def test_error_table_is_darker_for_larger_errors(ax):
    figures.error_table(ERRORS, ax=ax)
    ax.figure.canvas.draw()
    grey = ax.collections[0].get_facecolors()[:, :3].mean(axis=1).reshape(3, 2)
    assert grey[0, 0] > grey[0, 1] > grey[1, 0] > grey[2, 0] > grey[2, 1]


def test_error_table_names_tasks_estimators_and_families(ax):
    figures.error_table(ERRORS, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1 pair", "2 pairs", "sine"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["ours", "CCA"]
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["Gaussian"] == 1.0  # the middle of its two rows
    assert heights["manifold"] == 2.5
