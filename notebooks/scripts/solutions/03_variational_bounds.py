# %% [markdown]
# # Solutions to 03 · Variational bounds
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/03_variational_bounds.ipynb)
#
# Try the exercises of the [notebook](../03_variational_bounds.ipynb) first.

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
# The mean over batches is 0.95, and the standard deviation of a single batch is 0.17. So many batches lie
# above 1. The usual mistake is to read "lower bound" as a statement about each batch.

# %%
my_prediction_1 = "b"

exercises.check("single batches", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# $\mathbb{E} \ln \hat{Z} \le \ln Z$, and the logarithm is subtracted. The usual mistake is to take the
# inequality of Donsker and Varadhan, which holds for the exact $Z$, as a statement about four pairs a batch.

# %%
my_prediction_2 = "c"

exercises.check("four pairs a batch", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# The first term is $\ln 10$. In the second term a tenth of the pairs has $e^f = 10$, clipped to $e$, and the
# other pairs have $e^f = 0$, clipped to $1/e$. The usual mistake is to forget the second part.

# %%
my_smile_value = math.log(10) - math.log(0.1 * math.e + 0.9 / math.e)

exercises.check("clipped ideal critic", my_smile_value)

# %% [markdown]
# ### Exercise 4
#
# With $a = e$ this is NWJ. With $a = Z$ it is Donsker-Varadhan, which is the largest value over all $a$. Poole et al.
# (2019) call the bound TUBA. The usual mistake is a second term with the diagonal in it.


# %%
def my_tangent_bound(scores, a):
    Z = np.mean(np.exp(scores[~np.eye(len(scores), dtype=bool)]))
    return np.mean(np.diag(scores)) - math.log(a) - Z / a + 1


exercises.check("tangent bound", my_tangent_bound)

# %% [markdown]
# ### Exercise 5
#
# The proof works only with the true $p(y|x)$: step (b) uses that the mean of $p(y|x_j)$ over $x_j$ is $p(y)$.

# %%
my_order = "bdac"

exercises.check("leave-one-out", my_order)

# %% [markdown]
# ### Exercise 6
#
# Line 5 takes the exponential of the mean. By Jensen's inequality this is too small. The value becomes
# $\mathbb{E}_{+} f - \mathbb{E}_{-} f$, which grows in proportion to the scores.

# %%
my_wrong_line = "5"

exercises.check("too good to be true", my_wrong_line)

# %% [markdown]
# ### Exercise 7
#
# Only (c) is a lower bound in expectation, and $\ln 512 = 6.2$ leaves enough room above 3 nats. The usual
# mistake is to take the largest of many values: a maximum over batches is no mean.

# %%
my_choice = "c"

exercises.check("a value for the paper", my_choice)
