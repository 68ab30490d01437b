# %% [markdown]
# # Solutions to 17 · Medicine
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/17_medicine.ipynb)
#
# Try the exercises of the [notebook](../17_medicine.ipynb) first.

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
# The model knows the age, and what the radiologist saw. The usual mistake is to read the result as a victory over the
# radiologist, without whom the model would have no reading.

# %%
my_prediction_1 = "c"

exercises.check("model and radiologist", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# The order depends only on $\ell$, but the log-odds are too large. The usual mistake is to check a fusion by its AUROC
# alone.

# %%
my_prediction_2 = "b"

exercises.check("one modality twice", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# The sum is $M \ell - (M - 1) b = b + M (\ell - b)$: the evidence $\ell - b$ is counted $M$ times. For $\ell = b$ there
# is no evidence, and $M$ does not matter. The usual mistake is to forget the prior, which each copy contains.


# %%
def my_probability(log_odds, b, M):
    return 1 / (1 + np.exp(-(M * log_odds - (M - 1) * b)))


exercises.check("copies of an expert", my_probability)

# %% [markdown]
# ### Exercise 4
#
# A selection that uses labels is a part of training. The usual mistake is to think that only `fit` learns.

# %%
my_wrong_line = "2"

exercises.check("ten best proteins", my_wrong_line)

# %% [markdown]
# ### Exercise 5
#
# There are 150 independent labels. The usual mistake is to trust a short interval: it was computed over images, and it
# assumes that they are independent.

# %%
my_question = "b"

exercises.check("two thousand images", my_question)

# %% [markdown]
# ### Exercise 6
#
# Both simple rules need no model, so a model must beat them. The usual mistake is to compare with 0 only: at a low
# threshold, a biopsy for all is hard to beat.


# %%
def my_gain_in_benefit(y, p, t):
    y, p = np.asarray(y), np.asarray(p)

    def benefit(done):
        return np.mean(done & (y == 1)) - np.mean(done & (y == 0)) * t / (1 - t)

    return benefit(p >= t) - max(benefit(np.ones(len(y), bool)), 0.0)


exercises.check("net benefit", my_gain_in_benefit)
