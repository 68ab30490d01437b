# %% [markdown]
# # Solutions to 06 · Multimodal information maximization
#
# Try the [notebook](../06_multimodal_infomax.ipynb) first: its checks say what is missing.

# %%
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from simmim_lite import exercises

# %% [markdown]
# 1. `logsumexp` takes the largest score out before it forms a power of $e$.


# %%
def symmetric_information(scores):
    rows, columns = (logsumexp(scores, axis=axis) for axis in (1, 0))
    return np.log(len(scores)) + np.mean(np.diag(scores) - (rows + columns) / 2)


exercises.check("symmetric info nce", symmetric_information)

# %% [markdown]
# 2. They share which class it is, and nothing else: the entropy of the images' classes.


# %%
def paired_information(classes):
    p = np.unique(classes, return_counts=True)[1] / len(classes)
    return -np.sum(p * np.log(p))


exercises.check("paired information", paired_information)

# %% [markdown]
# 3. Count how often each class meets each cluster; the best assignment is Kuhn's (1955).


# %%
def named_clusters(labels, clusters):
    counts = np.zeros((labels.max() + 1, clusters.max() + 1))
    np.add.at(counts, (labels, clusters), 1)
    return counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels)


exercises.check("clusters", named_clusters)
