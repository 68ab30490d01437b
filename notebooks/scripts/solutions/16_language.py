# %% [markdown]
# # Solutions to 16 · Language
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/16_language.ipynb)
#
# Try the exercises of the [notebook](../16_language.ipynb) first.

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

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# One rating contains all of the noise of one person. The usual mistake is to take the agreement of two large groups for the
# agreement of a person with a group.

# %%
my_prediction_1 = "b"

exercises.check("one human", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# The baseline answers with training names only. The usual mistake is to compare it with chance among the test names.

# %%
my_prediction_2 = "a"

exercises.check("nearest name", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# The covariance is $\sigma^2_S$, because both noises are independent of $S$ and of each other. The variances are
# $\sigma^2_S + \sigma^2_E / k$ and $\sigma^2_S + \sigma^2_E / m$. With $k = 1$ and $m = n - 1$ the result is
# $\sqrt{\rho_1\, \rho_{n-1}}$. The usual mistake is to forget the square root.


# %%
def my_correlation(signal, noise, k, m):
    return signal / np.sqrt((signal + noise / k) * (signal + noise / m))


exercises.check("two groups of people", my_correlation)

# %% [markdown]
# ### Exercise 4
#
# The usual mistake is to forget that a count of 0 has the PMI minus infinity, or to use counts in place of
# probabilities.


# %%
def my_ppmi(counts):
    joint = np.asarray(counts, float) / np.sum(counts)
    product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    ratio = np.maximum(joint / product, 1)  # ln 1 = 0
    return np.log(ratio)


exercises.check("positive pmi", my_ppmi)

# %% [markdown]
# ### Exercise 5
#
# Variants of one tweet stand in different folds. The usual mistake is to look for a leak only in lines that use the
# labels.

# %%
my_wrong_line = "3"

exercises.check("tweets in folds", my_wrong_line)

# %% [markdown]
# ### Exercise 6
#
# One rating contains all of the noise of one person. A model does not have this noise. The usual mistake is to take one
# person for the upper bound.

# %%
my_choice = "c"

exercises.check("better than people", my_choice)
