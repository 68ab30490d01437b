# %% [markdown]
# # Solutions to 05 · Fusion
#
# Try the [notebook](../05_fusion.ipynb) first: its checks say what is missing.

# %%
import numpy as np

from simmim_lite import exercises
from simmim_lite.entropy import mutual_information

# %% [markdown]
# 1. Zeros by `where`, not by multiplication: not a number times zero is not a number.


# %%
def my_mean_of_present(vectors, present):
    kept = np.where(present[:, :, None] > 0, vectors, 0)
    return kept.sum(axis=1) / present.sum(axis=1, keepdims=True)


exercises.check("mean of present", my_mean_of_present)

# %% [markdown]
# 2. Each expert has counted the prior once, so that one of the two is taken out.


# %%
def my_product_of_experts(p, q, prior):
    product = p * q / prior
    return product / product.sum()


exercises.check("product of experts", my_product_of_experts)

# %% [markdown]
# 3. The variance is $\sum_m w_m^2 \sigma_m^2$; with the sum of the weights held at one, all $w_m \sigma_m^2$
#    are equal where it is smallest.


# %%
def my_weights(sigma):
    precision = 1 / sigma**2
    return precision / precision.sum()


exercises.check("precision weights", my_weights)

# %% [markdown]
# 4. Both modalities together are one variable with a value for each pair.


# %%
def my_synergy(table):
    both = mutual_information(table.reshape(-1, table.shape[2]))
    return both - mutual_information(table.sum(axis=1)) - mutual_information(table.sum(axis=0))


exercises.check("synergy", my_synergy)
