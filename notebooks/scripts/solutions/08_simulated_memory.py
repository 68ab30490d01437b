# %% [markdown]
# # Solutions to 08 · Simulated memory
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/08_simulated_memory.ipynb)
#
# Try the exercises of the [notebook](../08_simulated_memory.ipynb) first.

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
import torch

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# 60 random keys of 64 numbers are linearly independent, so $M A^\top = V^\top$ has an exact solution. The usual mistake is to
# think that a memory of fixed size must be noisy. Hebb's rule is noisy, because it ignores that the keys overlap.

# %%
my_prediction_1 = "c"

exercises.check("sixty pairs", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# The noise changes the order of the cosines among the 64 best slots. Equal weights ignore this order. The usual mistake is to
# think that softer attention is always between the two extremes, and therefore a safe choice.

# %%
my_prediction_2 = "c"

exercises.check("noisy queries", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# No remaining item contains the recording with probability $(1 - 1/160)^{360} \approx e^{-2.25} \approx 0.1$. So the memory still
# contains about nine of ten recordings. The usual mistake is to confuse an item with its content.

# %%
my_prediction_3 = "c"

exercises.check("forgotten recordings", my_prediction_3)

# %% [markdown]
# ### Exercise 4
#
# Hebb's matrix is a sum of one term for each pair. With the other two rules, what is written for a pair depends on other pairs. The next
# cell checks Hebb's rule and the pseudo-inverse for three pairs.

# %%
my_choice = "a"

exercises.check("removable pair", my_choice)

# %%
generator = torch.Generator().manual_seed(0)
keys = torch.nn.functional.normalize(torch.randn(3, 5, generator=generator), dim=1)
values = torch.randn(3, 2, generator=generator)
last = torch.outer(values[2], keys[2])
hebb = values.T @ keys
inverse = (torch.linalg.pinv(keys) @ values).T
without = (torch.linalg.pinv(keys[:2]) @ values[:2]).T
print("Hebb:", (hebb - last - values[:2].T @ keys[:2]).abs().max() < 1e-6)
print("pseudo-inverse:", (inverse - last - without).abs().max() < 1e-6)

# %% [markdown]
# ### Exercise 5
#
# The softmax does not change if the same number is subtracted from all scores. We subtract the largest score, so the largest
# exponential is 1. The usual mistake is to subtract it after the exponential.


# %%
def my_soft_read(keys, values, query, beta):
    """Return the weighted mean (d_v,) of values (N, d_v), for keys (N, d) and a query (d,)."""
    scores = beta * (keys @ query)
    weights = np.exp(scores - scores.max())
    return weights @ values / weights.sum()


exercises.check("soft read", my_soft_read)

# %% [markdown]
# ### Exercise 6
#
# Item $t$ must be kept with probability $n / t$. A full reservoir has `len(kept) == capacity`, so line 5 always holds. With `t` in
# its place, an older item stays with probability $\frac{n}{t - 1} (1 - \frac{n}{t} \cdot \frac{1}{n}) = \frac{n}{t}$.

# %%
my_wrong_line = "5"

exercises.check("reservoir", my_wrong_line)

# %% [markdown]
# ### Exercise 7
#
# From $1/w = 1 + (N - 1)\, e^{\beta^2/2d - \beta}$ follows $N = 1 + (1/w - 1)\, e^{\beta - \beta^2/2d}$. For $\beta = d/2$ the exponent is
# $\frac{3}{8} d$, so $N$ grows exponentially with $d$. The usual mistake is the sign of the exponent.


# %%
def my_largest_memory(w, d, beta):
    """Return the largest N (a real number) with weight at least w, 0 < w < 1."""
    return 1 + (1 / w - 1) * np.exp(beta - beta**2 / (2 * d))


exercises.check("largest memory", my_largest_memory)
