# %% [markdown]
# # Solutions to 13 · Evaluation: numbers that a skeptic believes
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/13_evaluation.ipynb)
#
# Try the exercises of the [notebook](../13_evaluation.ipynb) first.

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
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# Every resample of correct answers is correct, so all resampled means are 1. The bootstrap can draw only what
# is there. The usual mistake is to read this width of 0 as certainty; 480 correct answers still allow true
# accuracies down to about 0.99 (Wilson).

# %%
my_prediction_1 = "a"

exercises.check("all are correct", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# Ask what would be drawn again. The weights of the network stay the same, the voices are new. The usual mistake
# is to count each recording as an independent item.

# %%
my_interval = "b"

exercises.check("which interval", my_interval)

# %% [markdown]
# ### Exercise 3
#
# The map keeps all information, but the information is no longer usable for a linear function. The usual
# mistake is to apply the data processing inequality to a probe: it holds for mutual information only.

# %%
my_prediction_2 = "c"

exercises.check("an invertible map", my_prediction_2)

# %% [markdown]
# ### Exercise 4
#
# `array_split` also works if the number of items is not a multiple of the number of bins, so the bins get
# weights. The usual mistakes are bins of equal width, and gaps that keep their signs and cancel.


# %%
def my_calibration_error(confidence, correct, bins):
    parts = np.array_split(np.argsort(confidence), bins)
    gaps = [abs(confidence[part].mean() - correct[part].mean()) for part in parts]
    return np.average(gaps, weights=[len(part) for part in parts])


exercises.check("calibration error", my_calibration_error)

# %% [markdown]
# ### Exercise 5
#
# The variance of the sum of $m$ values is $m \sigma^2 + m (m - 1) \rho \sigma^2$. Divided by $m^2$, this is
# $\text{Var}(\text{mean})$. The sample variance is half the mean squared difference of two values, and a
# difference has the variance $2 \sigma^2 (1 - \rho)$, so $\mathbb{E}\, s^2 = \sigma^2 (1 - \rho)$. The ratio is
#
# $$\frac{1 + (m - 1) \rho}{m (1 - \rho)} = \frac{(1 - \rho) + m \rho}{m (1 - \rho)} = \frac{1}{m} + \frac{\rho}{1 - \rho}$$
#
# For $\rho = 1/m$, the fraction of the items in one validation fold, the second term is $1 / (m - 1)$: the factor of
# Nadeau and Bengio. The usual mistake is to forget that correlation also makes $s^2$ too small.


# %%
def my_variance_ratio(m, rho):
    return 1 / m + rho / (1 - rho)


exercises.check("correlated folds", my_variance_ratio)

# %% [markdown]
# ### Exercise 6
#
# Line 1 selects with the original labels, so only the original score profits. The test is valid again if every
# shuffle selects its own columns (line 6). The usual mistake is to repeat only the last step of an analysis.

# %%
my_wrong_line = "6"

exercises.check("permutation with selection", my_wrong_line)

# %%
generator = np.random.default_rng(0)
x, y = generator.standard_normal((100, 1000)), np.arange(100) % 2  # pure noise
columns = SelectKBest(k=20).fit(x, y).get_support()
score = cross_val_score(SVC(), x[:, columns], y).mean()
reached = np.zeros(2)
for _ in range(199):
    random_y = generator.permutation(y)
    own_columns = SelectKBest(k=20).fit(x, random_y).get_support()
    for test, chosen in enumerate((columns, own_columns)):
        reached[test] += cross_val_score(SVC(), x[:, chosen], random_y).mean() >= score
wrong_p, correct_p = (1 + reached) / 200
print(f"score {score:.2f}; P with line 6 as printed {wrong_p:.3f}, corrected {correct_p:.3f}")
assert wrong_p < 0.05 < correct_p
