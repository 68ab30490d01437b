# %% [markdown]
# # Solutions to 12 · Large batches and several processes
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/12_large_batches.ipynb)
#
# Try the exercises of the [notebook](../12_large_batches.ipynb) first.

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it: a clone, a wheel here, or GitHub
    clone = Path("../..") if Path("../../pyproject.toml").is_file() else None
    wheels = sorted([*Path().glob("simmim_lite-*.whl"), *Path("..").glob("simmim_lite-*.whl")])
    github = "https://github.com/simmim-lite/simmim-lite/archive/refs/heads/main.zip"
    source = clone or (wheels or [github])[-1]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--timeout=20", "--retries=1"]
    if subprocess.run([*pip, str(source)]).returncode:
        raise RuntimeError(
            f"{source} cannot be installed. Put the file simmim_lite-*.whl beside this notebook "
            "(in Colab: folder icon on the left, then upload), and run this cell again."
        )
    importlib.invalidate_caches()

# %%
import math

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# Both sums are brought to the larger top. The exponents are never positive, so nothing overflows. The usual
# mistake is to add the two sums as they are, although they belong to different tops.


# %%
def my_merge(top_1, sum_1, top_2, sum_2):
    top = max(top_1, top_2)
    return top, sum_1 * math.exp(top_1 - top) + sum_2 * math.exp(top_2 - top)


exercises.check("merge sums", my_merge)

# %% [markdown]
# ### Exercise 2
#
# Both break the program above. Dropout can be repaired: seed the random numbers before each pass, as the
# package does. BatchNorm cannot, because a chunk has other statistics than the batch.

# %%
my_prediction_2 = "c"

exercises.check("layers and chunks", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# The rows of each process contribute one part of the gradient. We need the sum of these parts, and DDP returns
# their mean. The usual mistake is to check only the loss: every process prints the correct loss of the whole
# batch.

# %%
my_order = "cadb"

exercises.check("mean in place of sum", my_order)

# %% [markdown]
# ### Exercise 4
#
# Accumulation is exact for losses that are means over items. In InfoNCE each term depends on all items, so
# line 4 computes another loss. The usual mistake is to look for an error in the division by 8.

# %%
my_wrong_line = "4"

exercises.check("accumulated negatives", my_wrong_line)

# %% [markdown]
# ### Exercise 5
#
# Compare both memories before you choose. The square of the batch costs about 1 GB here, and the activations
# cost 16 times the memory of the GPU. The usual mistake is to take the remedy that was explained first.

# %%
my_choice = "b"

exercises.check("what fills the memory", my_choice)

gigabytes = 4 * 4 * 8192**2 / 1e9
print(f"four matrices of 8,192 x 8,192: {gigabytes:.1f} GB; 8,192 / 512 = {8192 // 512}")

# %% [markdown]
# ### Exercise 6
#
# A `float32` has four bytes, so a matrix has $4 B^2$. `math.isqrt` is the whole part of the root, without
# rounding up. The usual mistake is to forget the four bytes.


# %%
def my_largest_batch(memory, matrices):
    return math.isqrt(int(memory / (4 * matrices)))


exercises.check("largest batch", my_largest_batch)
print(f"16 GB and four matrices: B = {my_largest_batch(16e9, 4):,}")
