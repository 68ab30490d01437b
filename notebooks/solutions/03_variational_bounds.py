# %% [markdown]
# # Solutions to 03 · Variational bounds
#
# Try the [notebook](../03_variational_bounds.ipynb) first: its checks say what is missing.

# %%
import math

import numpy as np
from scipy.special import logsumexp
from scipy.stats import binom

from simmim_lite import exercises

# %% [markdown]
# 1. `logsumexp` takes the largest score out first, so that nothing overflows.


# %%
def my_info_nce(scores):
    return math.log(len(scores)) + np.mean(np.diag(scores) - logsumexp(scores, axis=1))


exercises.check("info nce", my_info_nce)

# %% [markdown]
# 2. The second term is a mean over *shuffled* pairs: all entries but the diagonal.


# %%
def my_nwj(scores):
    negatives = scores[~np.eye(len(scores), dtype=bool)]
    return np.mean(np.diag(scores)) - np.mean(np.exp(negatives - 1))


exercises.check("nwj", my_nwj)

# %% [markdown]
# 3. Ten nats need 22,027 candidates; twenty would need 485 million.


# %%
def my_candidates(nats):
    return math.ceil(math.exp(nats))


exercises.check("candidates", my_candidates)

# %% [markdown]
# 4. The partner and its $n$ doubles share the choice, so it tells $\ln K - \ln(1 + n)$.


# %%
def my_ceiling(K, classes):
    doubles = np.arange(K)
    return binom.pmf(doubles, K - 1, 1 / classes) @ (math.log(K) - np.log1p(doubles))


exercises.check("ceiling", my_ceiling)
