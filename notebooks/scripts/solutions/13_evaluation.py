# %% [markdown]
# # Solutions to 13 · Evaluation
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/13_evaluation.ipynb)
#
# Try the [notebook](../13_evaluation.ipynb) first: its checks say what is missing.

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it from this clone, or from GitHub
    clone = Path("../../pyproject.toml").is_file()
    source = "../.." if clone else "git+https://github.com/simmim-lite/simmim-lite"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()

# %%
import numpy as np

from simmim_lite import exercises

# %% [markdown]
# 1. Parts of the sorted answers; `array_split` also divides numbers that do not divide evenly.


# %%
def my_calibration_error(confidence, correct, bins):
    parts = np.array_split(np.argsort(confidence), bins)
    gaps = [abs(confidence[part].mean() - correct[part].mean()) for part in parts]
    return np.average(gaps, weights=[len(part) for part in parts])


exercises.check("calibration error", my_calibration_error)

# %% [markdown]
# 2. The second summand is what overlap adds: the items validated on, over those trained on.


# %%
def my_fold_error(values):
    k = len(values)
    return np.std(values, ddof=1) * np.sqrt(1 / k + 1 / (k - 1))


exercises.check("fold error", my_fold_error)

# %% [markdown]
# 3. The labels as they are count among the orders, above and below the line.


# %%
def my_p_value(score, shuffled):
    return (1 + np.sum(shuffled >= score)) / (1 + len(shuffled))


exercises.check("permutation test", my_p_value)
