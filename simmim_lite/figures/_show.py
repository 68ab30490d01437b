"""Show a finished figure with its caption, or let a reader move its parameters."""

import re
import sys
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt


def show(caption: str, *, alt: str) -> None:
    """Show the current figure and its caption, and close it.

    ``alt`` describes the picture to readers who cannot see it: screen readers speak it. Outside a
    notebook the figure opens in a window, and the caption is printed.
    """
    ipython = sys.modules.get("IPython")  # loaded in a notebook; plain Python need not have it
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display(plt.gcf(), metadata={"image/png": {"alt": alt}})
        plt.close()
        bold = re.sub(r"^(Figure \d+\.)", r"**\1**", caption)
        display({"text/markdown": bold, "text/plain": caption}, raw=True)
    else:
        plt.show()
        print(caption)


def explore(draw: Callable[..., Any], **sliders: Any) -> None:
    """Show a slider for each parameter of ``draw``, which draws a figure, as an ipywidgets control.

    A slider is (smallest, largest, step), and starts in the middle.
    """
    from ipywidgets import interact

    def redraw(**values: Any) -> None:
        draw(**values)
        plt.show()

    interact(redraw, **sliders)
