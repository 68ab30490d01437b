# %% [markdown]
# # Solutions to 06 · Multimodal information maximization
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/06_multimodal_infomax.ipynb)
#
# Try the exercises of the [notebook](../06_multimodal_infomax.ipynb) first.

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
from scipy.special import logsumexp

from simmim_lite import bounds, exercises

# %% [markdown]
# ### Exercise 1
#
# About 12.7 of the 127 negatives have the digit of the positive, so the ideal critic cannot do better than one
# candidate in about 13.7. The usual mistake is to take $\ln K$ for the ceiling of every task.

# %%
my_prediction_1 = "c"

exercises.check("ceiling of a batch", my_prediction_1)

# %%
ten_classes = np.full(10, 0.1)
for candidates in (16, 128, 1024):
    ceiling = bounds.class_paired_ceiling(candidates, ten_classes)
    print(f"K = {candidates}: {ceiling:.4f} nats, ln 10 = {np.log(10):.4f}")

# %% [markdown]
# ### Exercise 2
#
# For every digit of the image, the ten remainders are equally probable. The usual mistake is to think that each of two
# sources must carry a part of what both carry together.

# %%
my_prediction_2 = "a"

exercises.check("image and sum", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# With `dim=0` each column has length 1 in the batch. The loop still runs, and the value may even rise. The usual mistake
# is to look for the error where an exception would occur.

# %%
my_wrong_line = "3"

exercises.check("loop of infomax", my_wrong_line)

# %% [markdown]
# ### Exercise 4
#
# First Jensen's inequality for the concave logarithm, then the given mean, then $\ln u \le 0$ for $u \le 1$. The usual
# mistake is to use the given mean before it appears: it is a mean of $1 / (1 + n)$, not of a logarithm.

# %%
my_order = "bca"

exercises.check("ceiling below the truth", my_order)

# %% [markdown]
# ### Exercise 5
#
# A lower bound limits $I$ from below only. A low value can mean little information or a poor critic.

# %%
my_choice = "c"

exercises.check("a low bound", my_choice)

# %% [markdown]
# ### Exercise 6
#
# `logsumexp` subtracts the largest score before it forms powers of $e$; `b` holds the weights of its sum. The usual
# mistake is a plain mean over the columns, which ignores $p(r)$.


# %%
def my_exact_bound(scores, joint):
    p_x, p_r = joint.sum(axis=1), joint.sum(axis=0)
    return np.sum(joint * scores) - p_x @ logsumexp(scores, b=p_r, axis=1)


exercises.check("exact infonce", my_exact_bound)
