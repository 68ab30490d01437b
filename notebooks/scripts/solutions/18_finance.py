# %% [markdown]
# # Solutions to 18 · Finance
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/18_finance.ipynb)
#
# Try the exercises of the [notebook](../18_finance.ipynb) first.

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it: a clone, a wheel here, or GitHub
    clone = Path("../..") if Path("../../pyproject.toml").is_file() else None
    wheels = sorted([*Path().glob("simmim_lite-*.whl"), *Path("..").glob("simmim_lite-*.whl")])
    github = "https://github.com/simmim-lite/simmim-lite/archive/refs/heads/main.zip"
    source = clone or (wheels or [github])[-1]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--timeout=20", "--retries=1"]
    if subprocess.run([*pip, str(source)]).returncode:
        raise RuntimeError(
            f"{source} cannot be installed. Put the file simmim_lite-*.whl beside this notebook "
            "(in Colab: folder icon on the left, then upload), and run this cell again."
        )
    importlib.invalidate_caches()

# %%
import numpy as np
from scipy.special import rel_entr

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# AUROC compares pairs of days, so the frequency of "up" has no influence. The usual mistake is to take an accuracy of
# 0.54 for skill: it is the frequency of "up".

# %%
my_prediction_1 = "a"

exercises.check("same features", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# One score has a standard deviation of 0.035. The largest of 16 lies 1.77 standard deviations above the mean. The
# usual mistake is to expect 0.5, which is the mean of all sixteen.

# %%
my_prediction_2 = "b"

exercises.check("largest of sixteen", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# From $A - 1/2 = \frac{2}{\pi} \arcsin(\rho / \sqrt{2})$ follows $\rho^2 = 2 \sin^2(\pi (A - 1/2) / 2) = 1 - \cos(\pi
# (A - 1/2))$. So $1 - \rho^2 = \cos(\pi (A - 1/2))$. The usual mistake is to take AUROC as linear in $\rho$.


# %%
def my_nats(A):
    return -np.log(np.cos(np.pi * (A - 0.5))) / 2


exercises.check("nats from AUROC", my_nats)

# %% [markdown]
# ### Exercise 4
#
# `rel_entr(a, b)` is $a \ln(a / b)$, and 0 for $a = 0$. The usual mistake is to forget the second term, for the days
# without exceedance. Without it, the divergence can be negative.


# %%
def my_kupiec(count, n, p):
    e = count / n
    return 2 * n * (rel_entr(e, p) + rel_entr(1 - e, 1 - p))


exercises.check("coverage of value at risk", my_kupiec)

# %% [markdown]
# ### Exercise 5
#
# A centered window of 22 days ends 10 days after its day. The usual mistake is to look for the error in the
# split, which is correct.

# %%
my_wrong_line = "3"

exercises.check("a month that is too good", my_wrong_line)

# %% [markdown]
# ### Exercise 6
#
# The interval is correct for one signal that was chosen before. The usual mistake is to forget the 39 signals that were
# not reported.

# %%
my_choice = "b"

exercises.check("best of forty", my_choice)
