# %% [markdown]
# # Solutions to 10 · Training on a GPU, and without one
#
# Try the [notebook](../10_gpu_training.ipynb) first: its checks say what is missing.

# %%
import math

import numpy as np

from simmim_lite import exercises

# %% [markdown]
# 1. Both sums are brought to the higher top; a factor of $e$ to a negative number never overflows.


# %%
def merge(top_a, sum_a, top_b, sum_b):
    top = max(top_a, top_b)
    return top, sum_a * math.exp(top_a - top) + sum_b * math.exp(top_b - top)


exercises.check("merge sums", merge)

# %% [markdown]
# 2. A `float32` has four bytes, and so a matrix has $4 B^2$.


# %%
def largest_batch(memory, matrices):
    return math.isqrt(int(memory / (4 * matrices)))


exercises.check("largest batch", largest_batch)

# %% [markdown]
# 3. Operations for each byte, times bytes a second, are operations a second.


# %%
def attainable(intensity, products, copies):
    return min(products, intensity * copies)


exercises.check("attainable", attainable)

# %% [markdown]
# 4. A last batch that is smaller counts for less.


# %%
def epoch_mean(losses, sizes):
    return np.sum(losses * sizes) / np.sum(sizes)


exercises.check("epoch mean", epoch_mean)
