# %% [markdown]
# # Solutions to 15 · Labels as a modality
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/15_labels_as_a_modality.ipynb)
#
# Try the exercises of the [notebook](../15_labels_as_a_modality.ipynb) first.

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
import numpy as np

from simmim_lite import exercises

# %% [markdown]
# ### Exercise 1
#
# The gradients of both losses are equal, so every step is equal. The usual mistake is to think that a bound must lose
# something. It loses the same as cross-entropy: the mean KL divergence between $p(y \mid x)$ and $q(y \mid x)$.

# %%
my_prediction_1 = "c"

exercises.check("twins", my_prediction_1)

# %% [markdown]
# ### Exercise 2
#
# Parts of the names occurred in training, the rest did not. The usual mistake is to expect from 1,529 pairs what CLIP
# does with 400 million.

# %%
my_prediction_2 = "a"

exercises.check("names of new kinds", my_prediction_2)

# %% [markdown]
# ### Exercise 3
#
# The mean of $f(y)$ over positives is $\sum_y p(y) f(y)$. The second term is the same for all images. By Jensen's
# inequality the difference is at most 0, as it must be: such a network knows nothing. The usual mistake is to forget
# the weights $p(y)$ of the candidates.


# %%
def my_value(f, p):
    return p @ f - np.log(p @ np.exp(f))


exercises.check("scores without an image", my_value)

# %% [markdown]
# ### Exercise 4
#
# Height and width of the intersection must be cut off at 0, each alone. The usual mistake is to multiply two negative
# lengths: boxes that are apart in both directions then seem to overlap.


# %%
def my_iou(a, b):
    height = max(min(a[1], b[1]) - max(a[0], b[0]), 0)
    width = max(min(a[3], b[3]) - max(a[2], b[2]), 0)
    areas = (a[1] - a[0]) * (a[3] - a[2]) + (b[1] - b[0]) * (b[3] - b[2])
    return height * width / (areas - height * width)


exercises.check("box overlap", my_iou)

# %% [markdown]
# ### Exercise 5
#
# Variants of one emoji come to both sides. The usual mistake is to think that a random split is always fair. Draw
# whole families.

# %%
my_wrong_line = "3"

exercises.check("recall too high", my_wrong_line)

# %% [markdown]
# ### Exercise 6
#
# The class was in the prompt, also for test images. The usual mistake is to look only at the split, which has no
# shared item here.

# %%
my_choice = "b"

exercises.check("caption from a model", my_choice)
