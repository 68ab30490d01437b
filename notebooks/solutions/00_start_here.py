# %% [markdown]
# # Solutions to 00 · Start here
#
# Try the [notebook](../00_start_here.ipynb) first: its checks say what is missing.

# %%
import numpy as np

from simmim_lite import exercises

# %% [markdown]
# 1. `np.add.at` adds once for each pair, also where the same cell comes up many times;
# `table[x, y] += 1` would count it once.


# %%
def my_joint_table(x, y):
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1 / len(x))
    return table


exercises.check("joint table", my_joint_table)

# %% [markdown]
# 2. Compare each cell with what independence would put there. Empty cells are left out, which is
# the convention 0 log 0 = 0.


# %%
def my_mutual_information(table):
    product = np.outer(table.sum(axis=1), table.sum(axis=0))
    seen = table > 0
    return np.sum(table[seen] * np.log(table[seen] / product[seen]))


exercises.check("mutual information", my_mutual_information)

# %% [markdown]
# 3. `permutation` gives a shuffled copy; `shuffle` would change the caller's labels.


# %%
def my_chance_level(x, y):
    generator = np.random.default_rng(0)
    shuffled = (generator.permutation(y) for _ in range(200))
    return np.mean([my_mutual_information(my_joint_table(x, labels)) for labels in shuffled])


exercises.check("chance level", my_chance_level)
