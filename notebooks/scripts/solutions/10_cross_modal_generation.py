# %% [markdown]
# # Solutions to 10 · From any modality to any other
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/10_cross_modal_generation.ipynb)
#
# Try the [notebook](../10_cross_modal_generation.ipynb) first. Its checks say what is missing.

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
# Griffin-Lim invents the phases, so the two waveforms are nearly unrelated sample by sample. At equal energy
# the error has about twice the energy of the reference, which is -3 dB. A low SNR does not show that a
# recording sounds bad.

# %%
my_prediction_1 = "c"

exercises.check("ratio of a phase", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# A retrieved image is a real training image. It is as correct and as diverse as real images, and its
# distance to the nearest training image is 0.

# %%
my_prediction_2 = "c"

exercises.check("a retrieved image", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# Among the sorted distances of a real sample to all real samples, the first one is its distance to itself.
# A usual mistake is to count it as a neighbor.


# %%
def my_coverage(real, made, k):
    radii = np.sort(np.abs(real[:, None] - real), axis=1)[:, k]
    return (np.abs(real[:, None] - made) < radii[:, None]).any(axis=1).mean()


exercises.check("coverage", my_coverage)

# %% [markdown]
# ### Exercise 4
#
# The peak is 1 for images in 0..1. A usual mistake is 20 in place of 10: that belongs to a ratio of
# amplitudes, not of squares.


# %%
def my_psnr(image, reference):
    return 10 * np.log10(1 / np.mean((image - reference) ** 2))


exercises.check("psnr", my_psnr)

# %% [markdown]
# ### Exercise 5
#
# In line 3, each item is its own nearest neighbor, at distance 0. So the condition contains a quarter of
# the target itself. `topk(5, ...)` without the first column repairs the code; the package's
# `neighbor_means` also leaves out copies of the item.

# %%
my_wrong_line = "3"

exercises.check("neighbors with a bug", my_wrong_line)

# %% [markdown]
# ### Exercise 6
#
# The mean of $k$ independent vectors has the same mean and the covariance $s^2 I / k$. The trace is $d
# (s^2 + s^2 / k - 2 s^2 / \sqrt{k}) = d s^2 (1 - 1 / \sqrt{k})^2$. It grows with $k$: more averaging is
# farther from real items.


# %%
def my_distance_of_means(s, d, k):
    return d * s**2 * (1 - 1 / np.sqrt(k)) ** 2


exercises.check("frechet distance of means", my_distance_of_means)

# %% [markdown]
# ### Exercise 7
#
# Copies of training images have nearly perfect accuracy and a Fréchet distance of about 1 unit. So these
# two numbers do not separate a good generator from a copy, and the copy distance does. PSNR needs a single
# correct output.

# %%
my_control = "b"

exercises.check("too good a generator", my_control)
