# %% [markdown]
# # Solutions to 14 · Masked image modeling
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/14_masked_image_modeling.ipynb)
#
# Try the exercises of the [notebook](../14_masked_image_modeling.ipynb) first.

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
import math

import numpy as np

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# Each mask has its own best matrix, and one matrix is a compromise. The usual mistake is to read "the best
# predictor is linear" as "one linear map is best". The map is linear in the visible pixels, not in the mask.

# %%
my_prediction_1 = "b"

exercises.check("one matrix", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# Both programs write information about hidden pixels into visible ones. The usual mistake is to trust the
# normalization, because it changes all pixels in the same way. Its two numbers are enough for a leak.

# %%
my_prediction_2 = "c"

exercises.check("which program leaks", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# Exact densities of single pixels do not make an exact joint density. The usual mistake is to think that a
# lower bound with good parts must be positive. Mutual information is at least 0, but a lower bound of it can be
# far below.

# %%
my_prediction_3 = "c"

exercises.check("product of exact densities", my_prediction_3)

# %% [markdown]
# ### Exercise 4
#
# $\ln p - \ln q = \ln \frac{s}{\sigma} - \frac{(x - \mu)^2}{2 \sigma^2} + \frac{(x - \mu)^2}{2 s^2}$, and under $p$
# the mean of $(x - \mu)^2$ is $\sigma^2$. This is a KL divergence, so it is never negative. The usual mistake is
# to forget the second term, whose mean is 1/2.


# %%
def my_cost(sigma, s):
    return math.log(s / sigma) + sigma**2 / (2 * s**2) - 1 / 2


exercises.check("fixed scale", my_cost)

# %% [markdown]
# ### Exercise 5
#
# One table holds all distances between hidden and visible pixels. Take the minimum over visible pixels first,
# then the mean over hidden ones. The usual mistake is the mean over all pixels.


# %%
def my_average_distance(mask):
    hidden, visible = np.argwhere(mask), np.argwhere(~mask)
    distances = np.linalg.norm(hidden[:, None] - visible, axis=2)
    return distances.min(axis=1).mean()


exercises.check("average distance", my_average_distance)

# %% [markdown]
# ### Exercise 6
#
# A pixel must be hidden while it is scored. In the wrong order the network sees the pixel that it should
# predict. The usual mistake is to suspect line 7. The leak test of section 3 finds this bug, too: the output
# of line 5 changes with the pixel.

# %%
my_wrong_line = "4"

exercises.check("chain out of order", my_wrong_line)

# %% [markdown]
# ### Exercise 7
#
# Count all steps on both sides before you claim to save time. The usual mistake is to count the steps with
# labels only. If labels are expensive and time is cheap, that is another question.

# %%
my_choice = "b"

exercises.check("missing control", my_choice)
