# %% [markdown]
# # Solutions to 09 · From any modality to any other
#
# Try the [notebook](../09_cross_modal_generation.ipynb) first: its checks say what is missing.

# %%
import numpy as np
from scipy.special import expit

from simmim_lite import exercises

# %% [markdown]
# 1. It is zero for a standard normal distribution only.


# %%
def my_divergence(mean, log_variance):
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)


exercises.check("divergence", my_divergence)

# %% [markdown]
# 2. Divided by $p$ it is $1 / (1 + q / p)$, the logistic function of $\ln p - \ln q$.


# %%
def my_best_discriminator(log_p, log_q):
    return expit(log_p - log_q)


exercises.check("best discriminator", my_best_discriminator)

# %% [markdown]
# 3. Among the sorted distances the first is that of the sample to itself.


# %%
def my_coverage(real, made, k):
    radii = np.sort(np.abs(real[:, None] - real), axis=1)[:, k]
    return (np.abs(real[:, None] - made) < radii[:, None]).any(axis=1).mean()


exercises.check("coverage", my_coverage)
