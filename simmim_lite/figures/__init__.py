"""Figures and diagrams of the notebooks in one seaborn style.

Each plotting function draws into the current axes, or into those of a new figure, and returns the
axes. Colors are seaborn's color-blind palette and the perceptually uniform map "mako". The truth is
a dashed black line in every figure (`TRUTH`). `show` ends a figure with its caption.

Examples:
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> plt.switch_backend("agg")  # without a screen
    >>> set_style()
    >>> frame = pd.DataFrame({"N": [100, 1000], "nats": [0.9, 1.01], "method": "ksg"})
    >>> ax = estimates(frame, x="N", truth=1.0, log=True)
    >>> ax.set_title("Estimates approach the truth").get_text()
    'Estimates approach the truth'
    >>> plt.close(ax.figure)
"""

from simmim_lite.figures._diagrams import diagram as diagram
from simmim_lite.figures._plots import (
    TRUTH as TRUTH,
    audio_player as audio_player,
    class_map as class_map,
    estimates as estimates,
    joint_table as joint_table,
    paired_samples as paired_samples,
    pictures as pictures,
    reliability as reliability,
    set_style as set_style,
    stacked_bars as stacked_bars,
)
from simmim_lite.figures._show import explore as explore, show as show
