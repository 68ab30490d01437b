# %% [markdown]
# # Solutions to 07 · Manifold information maximization
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/07_manifold_infomax.ipynb)
#
# Try the [notebook](../07_manifold_infomax.ipynb) first: its checks say why an answer is not correct.

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
# Neither $H(Y)$ nor $H(Y \mid X)$ knows where the points are. The usual mistake is answer a: a small
# network finds *smooth* cuts first, but the objective does not ask for the gap.

# %%
my_prediction_1 = "b"

exercises.check("certain and balanced", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# The graph connects some images of different digits. True labels lose information at each such edge.
# So $I(C; C')$ can rank clusterings of one graph, but its maximum is not the true labels.

# %%
my_prediction_2 = "b"

exercises.check("true labels on the graph", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# (c) replaces $\ln q'$ by a difference, (a) splits the mean, (d) recognizes
# $-H(Y \mid X)$ and the KL divergence, (b) recognizes $I(Y; X)$. The usual mistake is to put (d) before
# (a): the entropy becomes visible only after the split.

# %%
my_order = "cadb"

exercises.check("bound and penalty", my_order)

# %% [markdown]
# ### Exercise 4
#
# Line 3 multiplies two means. The correct line is `joint = here.T @ there / len(here)`, a mean of
# products. A table that is a product of its marginals has no information, for any network.

# %%
my_wrong_line = "3"

exercises.check("product of means", my_wrong_line)

# %% [markdown]
# ### Exercise 5
#
# Compare only what differs in one respect. With another graph the edges differ, and with another
# number of clusters the upper bound $\ln K$ differs.

# %%
my_choice = "a"

exercises.check("comparing clusterings", my_choice)

# %% [markdown]
# ### Exercise 6
#
# $Y$ is drawn at $x$, so $q$ stands at $x$ outside the logarithm and at $x'$ inside. The usual
# mistakes are the steps in the wrong direction and the mean of the entropies in place of the entropy
# of the mean. The bound is tight if the induced conditional $r$ equals $q$ at each $x'$. This is so if
# each point stays where it is, or if all steps lead between points with equal $q$.


# %%
def my_bound(q, moves):
    joint = q.T @ moves / len(q)  # p(y, x')
    return entropy.entropy(q.mean(axis=0)) + np.sum(joint * np.log(q).T)


exercises.check("manifold bound", my_bound)
