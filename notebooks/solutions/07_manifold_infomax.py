# %% [markdown]
# # Solutions to 07 · Manifold information maximization
#
# Try the [notebook](../07_manifold_infomax.ipynb) first: its checks say what is missing.

# %%
from itertools import combinations

import numpy as np

from simmim_lite import entropy, exercises

# %% [markdown]
# 1. Codes are drawn at x, where their entropy is taken, too, and guessed at x'.


# %%
def my_bound(p, p_moved):
    return entropy.entropy(p.mean(axis=0)) + np.mean(np.sum(p * np.log(p_moved), axis=1))


exercises.check("manifold bound", my_bound)

# %% [markdown]
# 2. The likelihood of the ratios is d^N times a power, with its maximum at N over the sum of their
#    logarithms; N - 1 makes it unbiased.


# %%
def my_dimension(first, second):
    return (len(first) - 1) / np.log(second / first).sum()


exercises.check("two nn", my_dimension)

# %% [markdown]
# 3. `members` is 1 where a point bears a code; with it on both sides the weights are summed by codes.


# %%
def my_cluster_information(labels, weights):
    members = np.eye(labels.max() + 1)[labels]
    joint = members.T @ weights @ members
    return entropy.mutual_information(joint / joint.sum())


exercises.check("cluster information", my_cluster_information)

# %% [markdown]
# 4. Try all pairs, and keep what leaves most. `agglomerative_bottleneck` knows the loss of each in closed form.


# %%
def my_cheapest_merge(joint):
    def information_after(pair):
        names = np.arange(len(joint))
        names[pair[1]] = pair[0]
        members = np.eye(len(joint))[names]
        return entropy.mutual_information(members.T @ joint @ members)

    return max(combinations(range(len(joint)), 2), key=information_after)


exercises.check("cheapest merge", my_cheapest_merge)
