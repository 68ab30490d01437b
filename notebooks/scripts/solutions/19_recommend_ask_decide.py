# %% [markdown]
# # Solutions to 19 · Recommend, ask, decide
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/19_recommend_ask_decide.ipynb)
#
# Try the exercises of the [notebook](../19_recommend_ask_decide.ipynb) first.

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
# Visits are concentrated on few areas. The usual mistake is to compare a recommender with chance only: a list that
# is the same for everyone is already far better.

# %%
my_prediction_1 = "b"

exercises.check("popular areas", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# The memory holds the return of every step of an episode. The usual mistake is to think that equally many episodes
# give equal results: the two agents use them differently.

# %%
my_prediction_2 = "c"

exercises.check("few episodes", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# The answer is chosen on training counts and scored on test counts. The usual mistake is to take the largest test
# count of each question: this sees the test answers, and is too good.


# %%
def my_prior_accuracy(train, test):
    train, test = np.asarray(train), np.asarray(test)
    correct = test[np.arange(len(test)), train.argmax(axis=1)]
    return correct[train.sum(axis=1) > 0].sum() / test.sum()


exercises.check("question-only accuracy", my_prior_accuracy)

# %% [markdown]
# ### Exercise 4
#
# The derivative $-e^{-s} L / 2 + 1 / 2$ is 0 at $s = \ln L$. There the first term is $1 / 2$, and the sum is $(1 +
# \ln L) / 2$. The usual mistake is to return the place of the minimum. Note that the minimum is a logarithm: with
# learned weights, only the relative change of a loss counts, not its scale.


# %%
def my_smallest(L):
    return (1 + np.log(L)) / 2


exercises.check("learned weight", my_smallest)

# %% [markdown]
# ### Exercise 5
#
# The memory holds the visits of the new people, so the hidden visit can be read from the person's own item. The usual
# mistake is to look only at the query, which is correct here.

# %%
my_wrong_line = "2"

exercises.check("target in the memory", my_wrong_line)

# %% [markdown]
# ### Exercise 6
#
# One win is enough, because a memory of largest returns holds no losses. The usual mistake is to think of the mean.
# If nothing is random, the largest return is that of the best known way, and so it is a good value.

# %%
my_choice = "a"

exercises.check("largest return", my_choice)
