# %% [markdown]
# # Solutions to 08 · Simulated memory
#
# Try the [notebook](../08_simulated_memory.ipynb) first: its checks say what is missing.

# %%
import math

import numpy as np

from simmim_lite import exercises

# %% [markdown]
# 1. The length of the query is the same for all, and needn't be divided by.


# %%
def nearest_slot(keys, query):
    return np.argmax(keys @ query / np.linalg.norm(keys, axis=1))


exercises.check("nearest slot", nearest_slot)

# %% [markdown]
# 2. Softmax does not change when the same number is taken from all scores; take the largest.


# %%
def soft_read(keys, values, query, beta):
    scores = beta * (keys @ query)
    weights = np.exp(scores - scores.max())
    return weights @ values / weights.sum()


exercises.check("soft read", soft_read)

# %% [markdown]
# 3. In one table all planes must agree; not to meet at all, each table must fail.


# %%
def buckets(angle, b, L):
    return 1 - (1 - (1 - angle / math.pi) ** b) ** L


exercises.check("buckets", buckets)
