# %% [markdown]
# # Solutions to 02 · Mutual information
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/02_mutual_information.ipynb)
#
# Try the exercises of the [notebook](../02_mutual_information.ipynb) first.

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
# $I(X; Y) = H(X) - H(X \mid Y) \le H(X)$, because a conditional entropy of symbols is never negative.
# In the same way $I(X; Y) \le H(Y)$. So the smaller entropy is the better bound, here $\ln 4 = 1.39$ nats. The
# usual mistake is to look at the variable of interest only, and to answer $H(\text{digit})$.

# %%
my_upper_bound = "a"

exercises.check("upper bound", my_upper_bound)

# %% [markdown]
# ### Exercise 2
#
# The four points of $(A, B)$ are an exclusive or: no line separates the classes. By symmetry the best
# linear predictor gives probability 1/2 to both classes everywhere, so $I_V = 0$, although
# $I((A, B); Y) = \ln 2$. The product is the target itself: with a large weight the cross-entropy goes to
# zero, and $I_V = \ln 2$. The usual mistake is to apply the data processing inequality to $I_V$.

# %%
my_usable_information = "b"

exercises.check("usable information", my_usable_information)

# %% [markdown]
# ### Exercise 3
#
# $\psi(N) \approx \ln N$ must be at least $10 + \psi(3) = 10.92$, and $e^{10.92} \approx 55{,}300$. This is
# only necessary: Figure 7 shows that KSG falls short long before it reaches the bound. The usual
# mistake is to forget $\psi(k)$.

# %%
my_sample_size = "c"

exercises.check("sample size", my_sample_size)

# %% [markdown]
# ### Exercise 4
#
# Step b is true for all variables. Step d uses that $I(X; Z) = 0$, and step a that information is never
# negative. Step c adds $I(Y; X)$ and applies the chain rule to $I(Y; X, Z)$. In the exclusive or of
# exercise 2 the inequality is as strict as possible: $\ln 2$ against $0 + 0$.

# %%
my_order = "bdac"

exercises.check("independent parts", my_order)

# %% [markdown]
# ### Exercise 5
#
# Line 6 gives the same new order to both variables. This only renumbers the pairs, and plug-in values do not
# depend on the order of the pairs. Shuffle one variable: `estimate(x, y[order], "plug_in")`.

# %%
my_wrong_line = "6"

exercises.check("chance level by shuffling", my_wrong_line)

# %% [markdown]
# ### Exercise 6
#
# 1. c: the correlation of $X$ and $X^2$ is zero for a symmetric $X$, so both Gaussian methods return
#    about 0. With one column each, neighbors are near.
# 2. b: a number and a class.
# 3. d: neighbors fail in 40 columns, but normal scores undo the maps.
# 4. a: $(3 - 1)(4 - 1)/2N = 0.0003$ nats of bias do not matter.

# %%
my_estimators = "cbda"

exercises.check("four estimators", my_estimators)

# %% [markdown]
# ### Exercise 7
#
# $H(X \mid Z) = H(X, Z) - H(Z)$ and $H(X \mid Y, Z) = H(X, Y, Z) - H(Y, Z)$; the difference is the formula.
# The first case of the check is an exclusive or: conditioning can raise a mutual information, but never an
# entropy. The usual mistake is a sum over the wrong axis.


# %%
def my_conditional_information(table):
    def joint_entropy(p):
        return -np.sum(p[p > 0] * np.log(p[p > 0]))

    xz, yz, z = table.sum(axis=1), table.sum(axis=0), table.sum(axis=(0, 1))
    return joint_entropy(xz) + joint_entropy(yz) - joint_entropy(table) - joint_entropy(z)


exercises.check("conditional information", my_conditional_information)
