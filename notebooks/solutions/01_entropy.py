# %% [markdown]
# # Solutions to 01 · Entropy
#
# Try the [notebook](../01_entropy.ipynb) first: its checks say what is missing.

# %%
import numpy as np

from simmim_lite import exercises

# %% [markdown]
# 1. Leave out what never happens: `0 * log(0)` is not a number to the machine.


# %%
def my_entropy(p):
    seen = p[p > 0]
    return -np.sum(seen * np.log(seen))


exercises.check("entropy", my_entropy)

# %% [markdown]
# 2. By the chain rule: the whole, less what $Y$ says. Columns are $Y$, so add up the rows.


# %%
def my_conditional_entropy(table):
    return my_entropy(table.ravel()) - my_entropy(table.sum(axis=0))


exercises.check("conditional entropy", my_conditional_entropy)

# %% [markdown]
# 3. A zero in $p$ costs nothing; a zero in $q$ where $p$ is not zero costs everything.


# %%
def my_kl_divergence(p, q):
    seen = p > 0
    if np.any(q[seen] == 0):
        return np.inf
    return np.sum(p[seen] * np.log(p[seen] / q[seen]))


exercises.check("kl divergence", my_kl_divergence)

# %% [markdown]
# 4. Only cells that were seen count: nobody knows how many others there are.


# %%
def my_miller_madow(counts):
    total = counts.sum()
    return my_entropy(counts / total) + (np.count_nonzero(counts) - 1) / (2 * total)


exercises.check("miller-madow", my_miller_madow)
