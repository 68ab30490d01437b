# %% [markdown]
# # Solutions to 05 · Fusion
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/05_fusion.ipynb)
#
# Try the exercises of the [notebook](../05_fusion.ipynb) first.

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
from simmim_lite import exercises
from simmim_lite.entropy import mutual_information

# %% [markdown]
# ### Exercise 1
#
# NaN times 0 is NaN, and a sum with a NaN is NaN. `np.where` chooses instead of multiplying. The usual mistake
# is to test a mask on zeros only, where the product works.

# %%
my_line = "3"

exercises.check("average with a bug", my_line)

# %% [markdown]
# ### Exercise 2
#
# The mean has the variance $(\sigma_1^2 + \sigma_2^2) / 4$. It is smaller than $\sigma_1^2$ only where $\sigma_2^2 < 3 \sigma_1^2$, and
# here sensor 2 is usually much noisier. The usual mistake is to think that more data can only help.

# %%
my_prediction_1 = "b"

exercises.check("mean of two sensors", my_prediction_1)

# %% [markdown]
# ### Exercise 3
#
# Only the average and the weighted fusion give additive scores. The usual mistake is to think that a product is
# necessary: a hidden layer of both vectors can represent any function of the two digits.

# %%
my_prediction_2 = "b"

exercises.check("sum of two digits", my_prediction_2)

# %% [markdown]
# ### Exercise 4
#
# A caption alone contains no information about whether it belongs to the image that is not given. The usual
# mistake is (a), because sound and lips look like a difficult case; but each of them contains information.

# %%
my_choice = "b"

exercises.check("task for experts", my_choice)

# %% [markdown]
# ### Exercise 5
#
# Both experts contain the prior, so one prior is divided out. The usual mistake is to forget this, which does no
# harm with a uniform prior, and is found late.


# %%
def my_product_of_experts(p_1, p_2, prior):
    product = p_1 * p_2 / prior
    return product / product.sum()


exercises.check("product of experts", my_product_of_experts)

# %% [markdown]
# ### Exercise 6
#
# The derivatives of $\sum_m w_m^2 \sigma_m^2 - \lambda (\sum_m w_m - 1)$ are $2 w_m \sigma_m^2 - \lambda = 0$. So $w_m$ is proportional
# to the precision $1 / \sigma_m^2$. The usual mistake is $1 / \sigma_m$.


# %%
def my_weights(sigma):
    precision = 1 / sigma**2
    return precision / precision.sum()


exercises.check("precision weights", my_weights)

# %% [markdown]
# ### Exercise 7
#
# Both modalities together are one variable with a value for each pair. The usual mistake is the sign: this
# quantity is positive for synergy, the quantity of section 4 is positive for redundancy.


# %%
def my_synergy(table):
    both = mutual_information(table.reshape(-1, table.shape[2]))
    return both - mutual_information(table.sum(axis=1)) - mutual_information(table.sum(axis=0))


exercises.check("synergy", my_synergy)
