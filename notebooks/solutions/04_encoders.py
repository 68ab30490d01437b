# %% [markdown]
# # Solutions to 04 · Encoders
#
# Try the [notebook](../04_encoders.ipynb) first: its checks say what is missing.

# %%
import numpy as np

from simmim_lite import exercises

# %% [markdown]
# 1. The window may begin at `n + 2 * padding - kernel + 1` pixels, and every `stride`-th of them counts. The
#    step is the product of the strides *before* a layer.


# %%
def my_layers(n, kernels, strides, paddings):
    field, step = 1, 1
    for kernel, stride, padding in zip(kernels, strides, paddings, strict=True):
        n = (n + 2 * padding - kernel) // stride + 1
        field, step = field + (kernel - 1) * step, step * stride
    return n, field


exercises.check("layers", my_layers)

# %% [markdown]
# 2. Each filter begins at the peak of the one before and ends at the peak of the one after. So the peaks
#    and both ends are `mels + 2` evenly spaced points on the mel scale.


# %%
def my_mel_peaks(low, high, mels):
    ends = 2595 * np.log10(1 + np.array([low, high]) / 700)
    return 700 * (10 ** (np.linspace(*ends, mels + 2)[1:-1] / 2595) - 1)


exercises.check("mel peaks", my_mel_peaks)

# %% [markdown]
# 3. The total cancels once: $\frac{n_{ab}/n}{(n_a/n)(n_b/n)} = \frac{n_{ab}\, n}{n_a n_b}$.


# %%
def my_pointwise_information(counts):
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    with np.errstate(divide="ignore"):  # ln 0 is minus infinity
        return np.log(counts / expected)


exercises.check("pointwise information", my_pointwise_information)
