# %% [markdown]
# # Solutions to 09 · Generative models
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/09_generative_models.ipynb)
#
# Try the [notebook](../09_generative_models.ipynb) first. Its checks say what is missing.

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
from scipy.special import expit

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# The gap is the KL divergence of $q$ from the posterior. With equal means and a ratio of the variances of
# 4 it is $(4 - 1 - \ln 4) / 2 = 0.807$ nats. A usual mistake is to look at the means only.

# %%
my_prediction_1 = "b"

exercises.check("posterior twice as wide", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# At $t = 0$ the state is the noise itself, which is independent of the data. So $v^*(x, 0) =
# \mathbb{E}[x_1] - x$, and a full step leads to the mean. Straight training lines do not make straight
# paths.

# %%
my_prediction_2 = "b"

exercises.check("one Euler step", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# The divergence is zero for a standard normal distribution only. A usual mistake is the mean over the
# columns in place of the sum: then the two parts of the ELBO have different units.


# %%
def my_divergence(mean, log_variance):
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)


exercises.check("divergence", my_divergence)

# %% [markdown]
# ### Exercise 4
#
# Divide by $p$: $D^* = 1 / (1 + p_G / p)$, the logistic function of $\ln p - \ln p_G$. The densities
# themselves can be smaller than the smallest number of the computer, and then $0 / 0$ is not a number.


# %%
def my_best_discriminator(log_p, log_p_g):
    return expit(log_p - log_p_g)


exercises.check("best discriminator", my_best_discriminator)

# %% [markdown]
# ### Exercise 5
#
# Line 5 should be `v = u + guidance * (v - u)`. Both conventions exist, and papers differ: with line 5 as
# it stands, `guidance = 0` is the trained flow.

# %%
my_wrong_line = "5"

exercises.check("guidance with a bug", my_wrong_line)

# %% [markdown]
# ### Exercise 6
#
# With $x(t) = t \mu + b(t) x_0$ the equation becomes $b' / b = (t s^2 - (1 - t)) / s_t^2$, and the right
# side is half the derivative of $\ln s_t^2$. So $b = s_t$. The path is straight only if $s_t$ is linear in
# $t$, which holds for $s = 0$ alone. A usual mistake is the straight line from $x_0$ to $\mu + s x_0$.


# %%
def my_path(x0, t, mean, s):
    return t * mean + np.sqrt((1 - t) ** 2 + t**2 * s**2) * x0


exercises.check("path of a Gaussian", my_path)

# %% [markdown]
# ### Exercise 7
#
# With $D$ the logistic function of $f$, the derivative of $\ln (1 - D)$ is $-D = -0.001$, and that of
# $-\ln D$ is $-(1 - D) = -0.999$. Both losses have the same minimum, but the first has nearly no gradient
# while the generator is bad.

# %%
my_choice = "b"

exercises.check("loss of the generator", my_choice)
