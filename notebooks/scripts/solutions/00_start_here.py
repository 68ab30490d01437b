# %% [markdown]
# # Solutions to 00 · Start here
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/00_start_here.ipynb)
#
# Try the exercises of the [notebook](../00_start_here.ipynb) first.

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

from simmim_lite import datasets, entropy, exercises

# %% [markdown]
# ### Exercise 1
#
# 1. (b): six of 36 outcomes have the sum 7.
# 2. (c): $0.3 / (0.3 + 0.1) = 0.75$. The usual mistake is the joint probability 0.3 itself.
# 3. (a). A correlation of 0 is weaker: it excludes only a linear dependence.
# 4. (b): $0.1 \cdot 10^2 = 10$.
# 5. (a): $-\ln(2^{-3}) = 3 \ln 2$.
# 6. (c). There is no rule for the logarithm of a difference.
# 7. (b): the sum removes axis 0, of length 4.
# 8. (c): shapes (4, 10) and (4,) do not fit. `p / p.sum(axis=1, keepdims=True)` divides the rows.
# 9. (a). The optimizer subtracts a multiple of it later, in `step`.
# 10. (c). Without `zero_grad` the gradients of all steps add up.

# %%
my_answers = "bcabacbcac"

exercises.check("self-test", my_answers)

# %% [markdown]
# ### Exercise 2
#
# With arrays as indices, NumPy writes each cell once, however often the cell is listed. So 39 cells
# hold 1/4000 and one cell is empty: $39 / 4000 = 0.00975$. `np.add.at` adds once for each pair.

# %%
my_wrong_line = "3"

exercises.check("counting pairs", my_wrong_line)

# %% [markdown]
# ### Exercise 3
#
# Mutual information of a table is zero or positive, and a table that is counted from a sample is
# never exactly a product of its marginals. The usual mistake is to expect errors that cancel.

# %%
my_prediction = "b"

exercises.check("after shuffling", my_prediction)

# %% [markdown]
# ### Exercise 4
#
# $H(X)$ is a sum over $x$ only. It becomes a sum over $x$ and $y$, because $p(x) = \sum_y p(x, y)$. The
# usual mistake is to lose the minus sign of $H(X)$, which puts $p(x)$ into the denominator.

# %%
my_order = "cab"

exercises.check("sum form of information", my_order)

# %% [markdown]
# ### Exercise 5
#
# `keepdims=True` keeps the sums as a column, so that each row is divided by its own sum. On the real
# table the outer levels carry the most information: they leave about 2.0 of 2.30 nats. The weighted
# mean of the four values is $H(\text{digit} \mid \text{level})$, which gives the same 0.2013 nats again.


# %%
def my_entropies_of_rows(table):
    conditional = table / table.sum(axis=1, keepdims=True)
    safe = np.where(conditional > 0, conditional, 1)
    return -np.sum(conditional * np.log(safe), axis=1)


exercises.check("digit given level", my_entropies_of_rows)

# %%
digits = datasets.load_digits("train")
ink = digits.images.mean(axis=(1, 2))
level = np.digitize(ink, np.quantile(ink, [0.25, 0.5, 0.75]))
joint = entropy.counts(level, digits.labels) / len(digits)
of_rows = my_entropies_of_rows(joint)
h_digit_given_level = np.sum(joint.sum(axis=1) * of_rows)
print("H(digit | level = x):", of_rows.round(3), "nats; H(digit) =", np.log(10).round(3))
print(f"I(digit; level) = {entropy.entropy(joint.sum(axis=0)) - h_digit_given_level:.4f} nats")

# %% [markdown]
# ### Exercise 6
#
# Only the shuffled pairs have a known truth, 0 nats. The value that the estimator gives there is its
# baseline. The usual mistake is to trust a number because a second run repeats it.

# %%
my_control = "b"

exercises.check("first control", my_control)
