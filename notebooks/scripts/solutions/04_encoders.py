# %% [markdown]
# # Solutions to 04 · Encoders
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/04_encoders.ipynb)
#
# Try the [notebook](../04_encoders.ipynb) first: its checks say what is missing.

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
from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# In training mode, batch normalization uses the mean and the variance of the batch, so the other images
# matter. In evaluation mode, both are fixed. The usual mistake is to forget `encoder.eval()` before
# a test.

# %%
my_prediction_1 = "b"

exercises.check("batch matters", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# Each pair of words has its own term, so we may maximize each term alone: differentiate, set the derivative to
# 0, divide, solve for $e^f$, take the logarithm. The usual mistake is to take the logarithm before
# $e^f$ stands alone.

# %%
my_proof = "dbeac"

exercises.check("best critic", my_proof)

# %% [markdown]
# ### Exercise 3
#
# A mirror changes most digits (not 0, 1 and 8), so many training images become false examples. Dropout and
# shifts keep the labels true. The usual mistake is to think that more data always help: only true
# examples do.

# %%
my_prediction_2 = "d"

exercises.check("worst remedy", my_prediction_2)

# %% [markdown]
# ### Exercise 4
#
# Layer normalization takes the mean and the variance within one item. Batch normalization of two images is noisy,
# and each vector would depend on the other image.

# %%
my_normalization = "b"

exercises.check("small batches", my_normalization)

# %% [markdown]
# ### Exercise 5
#
# Line 5 already keeps the mean in training, so line 3 has to be `return a`. With line 3 as it stands, all components
# shrink by the factor `1 - rate` as soon as training ends. The original paper has no division in line 5, and
# multiplies after training as line 3 does. The usual mistake is to do both.

# %%
my_bug = "3"

exercises.check("wrong dropout", my_bug)

# %% [markdown]
# ### Exercise 6
#
# The field grows by `(F - 1)` times the distance *before* the layer. The usual mistake is to multiply the distance by
# the stride of the same layer first. One case of the check is the first article's network: 32 pixels stay 32.


# %%
def my_layers(size, windows, strides, paddings):
    field, distance = 1, 1
    for window, stride, padding in zip(windows, strides, paddings, strict=True):
        size = (size + 2 * padding - window) // stride + 1
        field += (window - 1) * distance
        distance *= stride
    return size, field


exercises.check("layers", my_layers)
