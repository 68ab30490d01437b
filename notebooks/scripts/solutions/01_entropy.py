# %% [markdown]
# # Solutions to 01 · Entropy
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/01_entropy.ipynb)
#
# Try the exercises of the [notebook](../01_entropy.ipynb) first.

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

from simmim_lite import entropy, exercises

# %% [markdown]
# ### Exercise 1
#
# $-0.9 \ln 0.9 - 0.1 \ln 0.1 = 0.095 + 0.230 = 0.325$ nats, 47 % of $\ln 2$. The usual mistake is to
# forget how large the surprise of the rare side is.

# %%
my_prediction = "b"

exercises.check("biased coin", my_prediction)

# %% [markdown]
# ### Exercise 2
#
# The column $y = 1$ has two equal entries, so $H(X \mid Y{=}1) = \ln 2$, more than $H(X)$. But $y = 1$ is
# rare, and $y = 0$ makes $X$ certain. So the average $H(X \mid Y)$ is smaller than $H(X)$. The usual
# mistake is to apply the theorem on averages to a single value.

# %%
my_choice = "c"

exercises.check("one value of y", my_choice)

# %%
joint = np.array([[0.8, 0.1], [0.0, 0.1]])
h_x = entropy.entropy(joint.sum(axis=1))
h_x_given_1 = entropy.entropy(joint[:, 1] / joint[:, 1].sum())
h_x_given_y = entropy.conditional_entropy(joint, given=1)
print(f"H(X) = {h_x:.3f}, H(X | Y=1) = {h_x_given_1:.3f}, H(X | Y) = {h_x_given_y:.3f} nats")

# %% [markdown]
# ### Exercise 3
#
# Figure 3 shows plug-in means of about 4.3 nats at $N = 100$ and 5.4 nats at $N = 2000$ for a single
# source. The usual mistake is to compare plug-in estimates of different sample sizes.

# %%
my_conclusion = "b"

exercises.check("two writers", my_conclusion)

# %% [markdown]
# ### Exercise 4
#
# Leave out the probabilities that are 0. A small constant inside the logarithm avoids the `nan` too,
# but it changes the result.


# %%
def my_entropy(p):
    positive = p[p > 0]
    return -np.sum(positive * np.log(positive))


exercises.check("entropy", my_entropy)

# %% [markdown]
# ### Exercise 5
#
# A zero of $p$ adds nothing. A zero of $q$ where $p$ is positive makes the divergence infinite. The
# usual mistake is to leave out the zeros of both, which hides the infinite cost.


# %%
def my_kl_divergence(p, q):
    possible = p > 0
    if np.any(q[possible] == 0):
        return np.inf
    return np.sum(p[possible] * np.log(p[possible] / q[possible]))


exercises.check("kl divergence", my_kl_divergence)

# %% [markdown]
# ### Exercise 6
#
# The mean has to run over samples, not over cells: a cell with five samples is left out five times.
# The corrected line agrees with the package.

# %%
my_wrong_line = "8"

exercises.check("jackknife by cells", my_wrong_line)

# %%
counts = np.array([5, 3, 1, 1])
N = counts.sum()
without = [entropy.entropy((counts - one) / (N - 1)) for one in np.eye(4)]
jackknife = N * entropy.entropy(counts / N) - (N - 1) * np.average(without, weights=counts)
assert np.isclose(jackknife, entropy.entropy_from_counts(counts, "jackknife"))
print(f"jackknife {jackknife:.4f} nats")

# %% [markdown]
# ### Exercise 7
#
# $T$ determines $F$ (heads first means $T = 1$), so $H(T) = H(T, F) = H(F) + H(T \mid F)$. After heads
# nothing is uncertain. After tails the waiting starts again, with the same entropy:
# $H(T \mid F) = p \cdot 0 + (1 - p) H(T)$. So $H(T) = H(F) / p$: the entropy of one toss times the mean
# number of tosses. The usual mistake is to forget that the second wait has probability $1 - p$.


# %%
def my_entropy_of_waiting(p):
    h_first = -p * np.log(p) - (1 - p) * np.log(1 - p)
    return h_first / p


exercises.check("waiting for heads", my_entropy_of_waiting)
