# %% [markdown]
# # Solutions to 11 · Training on a GPU
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/11_gpu_training.ipynb)
#
# Try the exercises of the [notebook](../11_gpu_training.ipynb) first.

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
# `x.to` returns a copy, and the line does not store it. The usual mistake is to copy the habit of
# `model.to(DEVICE)`, which works in place. For tensors write `x = x.to(DEVICE)`.

# %%
my_prediction_1 = "b"

exercises.check("where is x", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# The direction of an infinite gradient is lost. So the scaler takes no step. The usual mistake is to clip: an
# infinite gradient divided by its infinite norm is not a number.

# %%
my_prediction_2 = "b"

exercises.check("infinite gradient", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# $1 = L / s^2$ gives $s = \sqrt{L}$. Both parts of the sum are then $\sqrt{L}$. The usual mistake is to
# use as many segments as layers: then every input is kept, and nothing is saved.

# %%
my_order = "bdac"

exercises.check("square root of the layers", my_order)

# %% [markdown]
# ### Exercise 4
#
# In line 4 the gradients are still multiplied by the scale. `scaler.unscale_(optimizer)` belongs before it.
# The usual mistake is to suspect the learning rate, because the program runs without an error. Adam would hide
# the mistake: its steps hardly depend on a constant factor of the gradient.

# %%
my_wrong_line = "4"

exercises.check("clipped too early", my_wrong_line)

# %% [markdown]
# ### Exercise 5
#
# A GPU that waits most of the time does not gain from a faster calculation. The usual mistake is to optimize
# the model before a profiler has shown where the time goes.

# %%
my_choice = "a"

exercises.check("idle GPU", my_choice)

# %% [markdown]
# ### Exercise 6
#
# First subtract the bytes of the parameters. The rest is divided among the items. The usual mistake is to
# count 4 bytes for a parameter, and to forget the gradient and the two averages of Adam.


# %%
def my_batch(memory, P, a):
    return max(0, (memory - 16 * P) // a)


exercises.check("batch that fits", my_batch)

# %% [markdown]
# ### Exercise 7
#
# The usual mistake is the mean of the batch means. A small last batch then counts as much as a large one.


# %%
def my_epoch_mean(losses, sizes):
    return np.sum(losses * sizes) / np.sum(sizes)


exercises.check("epoch mean", my_epoch_mean)
