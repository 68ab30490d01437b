# %% [markdown]
# # Solutions to 02 · Mutual information
#
# Try the [notebook](../02_mutual_information.ipynb) first: its checks say what is missing.

# %%
import numpy as np
from scipy.special import digamma

from simmim_lite import exercises

# %% [markdown]
# 1. `log1p(-rho**2)` keeps its digits where `log(1 - rho**2)` loses them, near zero.


# %%
def my_gaussian_information(rho):
    return -0.5 * np.log1p(-(rho**2))


exercises.check("gaussian information", my_gaussian_information)

# %% [markdown]
# 2. The same trick as in the joint table of notebook 00: `np.add.at` adds each row to its group.


# %%
def my_merge(table, groups):
    merged = np.zeros((groups.max() + 1, table.shape[1]))
    np.add.at(merged, groups, table)
    return merged


exercises.check("merge", my_merge)

# %% [markdown]
# 3. Four entropies. With exclusive or, $X$ and $Y$ share nothing, but $Z$ turns each into the key of
# the other: conditioning can raise a mutual information, though never an entropy.


# %%
def my_conditional_information(table):
    def joint_entropy(p):
        return -np.sum(p[p > 0] * np.log(p[p > 0]))

    xz, yz, z = table.sum(axis=1), table.sum(axis=0), table.sum(axis=(0, 1))
    return joint_entropy(xz) + joint_entropy(yz) - joint_entropy(table) - joint_entropy(z)


exercises.check("conditional information", my_conditional_information)

# %% [markdown]
# 4. Nothing is clipped: a negative value is an honest estimate of a small one.


# %%
def my_ksg(n_x, n_y, k):
    mean = np.mean(digamma(n_x + 1) + digamma(n_y + 1))
    return digamma(k) + digamma(len(n_x)) - mean


exercises.check("ksg", my_ksg)
