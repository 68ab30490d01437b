# %% [markdown]
# # 11 · Training on a GPU
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/11_gpu_training.ipynb)
#
# *The first training run on a GPU: devices, data loading, mixed precision, the learning rate, what to do when memory runs out, what limits the speed, and how to look inside a step. Every cell also runs on a CPU.*
#
# **What you will learn**
#
# - to find out whether there is a **GPU**, and to move a model and its data there;
# - to write a training loop with **mixed precision**, and what half precision loses;
# - four **remedies for an out-of-memory error**, with the bytes that each one saves;
# - which of **two limits** a calculation meets, arithmetic or memory traffic;
# - to **look inside** a run, with a profiler and with TensorBoard.
#
# **Prerequisites**: notebook [04](04_encoders.ipynb); conditional entropy, a training loop in PyTorch, and powers of two.
#
# **In the package**: `training`, `environment`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 29 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
# <!-- /measured -->

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it: a clone, a wheel here, or GitHub
    clone = Path("..") if Path("../pyproject.toml").is_file() else None
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
import copy
import logging
import shutil
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint_sequential
from torch.utils.data import DataLoader, TensorDataset

from simmim_lite import datasets, encoders, entropy, environment, exercises, figures
from simmim_lite.environment import measure_bytes, measure_seconds
from simmim_lite.training import Batches, fit

figures.set_style()
torch.set_num_threads(1)  # more threads do not make these small networks faster
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # no line about CUDA

# %% [markdown]
# ## 1. Is there a GPU, and which?
#
# **Question.** A *GPU* is a second processor with its own memory. It calculates many numbers at once. Does
# your machine have one that PyTorch can use?
#
# **On Colab**: choose *Runtime*, *Change runtime type*, and a GPU (the free one is usually a T4). Then run all
# cells again. **On your machine**: you need an NVIDIA card, its driver, and a PyTorch for CUDA, NVIDIA's system
# for calculations on its cards. The program `nvidia-smi` comes with the driver. It lists each card, its memory
# in use, and its utilization: the fraction of the time in which the card calculates anything at all.
#
# **No cell of this page has ever run on a GPU. So the page contains no speed and no memory of a GPU, and its
# lines for a GPU are untested.** If you have one, the cells print its values.

# %%
GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
print(f"{environment.hardware()}; {torch.get_num_threads()} thread(s) on the CPU")
if shutil.which("nvidia-smi"):
    fields = "name,memory.total,memory.used,utilization.gpu"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv"]
    print(subprocess.run(command, capture_output=True, text=True).stdout)
else:
    print("nvidia-smi: not on this machine")

# %% [markdown]
# ## 2. Where is a tensor?
#
# **Question.** The model learns on the GPU. What has to be there, and how does it get there?
#
# **Idea.** Every tensor has a `device`. All tensors of one calculation must be on the same device.
#
# - `model.to(DEVICE)` moves the weights of the model *in place*. Do it before you make the optimizer.
# - `x.to(DEVICE)` returns a copy on this device, or `x` itself if it is there already. It does not move `x`.
# - `loss.item()` brings one number back to the CPU. A GPU works through a queue: a line of Python puts work
#   into the queue, and returns at once. So here the CPU has to *wait* until the number is calculated.

# %%
figures.diagram("gpu_training")
figures.show(
    "Figure 1. One step of training: batches cross to the GPU, and only a number comes back.",
    alt="Left, the CPU: files, workers that make batches, a pinned batch. An arrow labeled .to(device) "
    "leads to x, y on the GPU. With the weights they give activations and the loss, then gradients, "
    "then the optimizer, which changes the weights. A dashed arrow, .item(), leads back to a number.",
)

# %% [markdown]
# ### Exercise 1 · ★ · 1 minute · predict
#
# The device `meta` exists on every machine: its tensors have a shape but no values. Where is `x` after
# these two lines: (a) on `meta`, (b) on the CPU, (c) nowhere, the second line is an error?
#
# ```python
# x = torch.ones(1, 3, device="cpu")
# x.to("meta")
# ```

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("where is x", my_prediction_1)

# %% [markdown]
# The next cell shows the answer, and a frequent error of a first run: two devices in one calculation. With
# `meta` we can produce it without a GPU. On a GPU, the message has other words and names `cuda:0`.

# %%
x, linear = torch.ones(1, 3, device="cpu"), nn.Linear(3, 2, device="cpu")
x.to("meta")
linear.to("meta")
print(f"after .to('meta'): x is on {x.device}, the layer is on {linear.weight.device}")
try:
    linear(x)
except RuntimeError as error:
    message = str(error)
    print(f"RuntimeError: {message}")
exercises.verify("the message names both devices", "cpu" in message and "meta" in message)

# %% [markdown]
# ## 3. How do the data get there?
#
# **Question.** A fast GPU waits if the data come too slowly. What are the ways to feed it?
#
# - *A `DataLoader`* collects the items of each batch. With `num_workers=2`, two other processes prepare
#   the next batches during training. This helps if an item costs time (a file to read, an image to decode).
# - *Pinned memory*: with `pin_memory=True` the system may not move the batch within the memory of the
#   CPU. Then `x.to(DEVICE, non_blocking=True)` puts the copy into the queue, and the CPU does not wait.
# - *Data on the device*: if all items fit, move them once, and index them there. `Batches` of the
#   package does this.
#
# Our images need $4{,}000 \cdot 784 \cdot 4$ bytes, so they fit everywhere. We time one epoch for each way.

# %%
digits, new_digits = datasets.load_digits("train"), datasets.load_digits("test")
prepare = encoders.ImageEncoder().prepare
images, labels = prepare(digits.images), torch.from_numpy(digits.labels)
new_images, new_labels = prepare(new_digits.images), torch.from_numpy(new_digits.labels)
on_device = images.to(DEVICE), labels.to(DEVICE)
dataset, options = TensorDataset(images, labels), {"batch_size": 50, "shuffle": True}
workers = min(2, environment.cores())
plain = DataLoader(dataset, pin_memory=GPU, **options)
parallel = DataLoader(dataset, pin_memory=GPU, num_workers=workers, **options)


def read(loader):
    return [x.to(DEVICE, non_blocking=True).shape[0] for x, y in loader]


def index():
    order = torch.randperm(len(images), device=DEVICE)
    return [on_device[0][rows].shape[0] for rows in order.split(50)]


# %%
seconds = {
    "DataLoader": measure_seconds(lambda: read(plain), repetitions=2),
    f"DataLoader, {workers} worker(s)": measure_seconds(lambda: read(parallel), repetitions=2),
    "data on the device": measure_seconds(index, repetitions=2),
}
print(f"images: {images.numel() * 4 / 1e6:.1f} MB; one epoch on {DEVICE.type}, without training:")
for way, time in seconds.items():
    print(f"{way:<24} {1000 * time:7.1f} ms")
exercises.verify("each way gives all items", sum(read(plain)) == sum(index()) == len(images))
print("fastest here:", min(seconds, key=seconds.get))

# %% [markdown]
# Our items need no preparation. So the loader only collects 50 small tensors for each batch, and the start of
# the workers costs more time than they save.
#
# ## 4. What does a training loop look like?
#
# **Question.** Which lines does a loop need, so that it runs on a GPU and in *mixed precision*?
#
# **Idea.** A number of type `float32` has 32 bits. GPUs calculate faster with 16 bits, and move half of
# the bytes. Two types have 16 bits, `float16` and `bfloat16`; a T4 is fast with `float16` only. In mixed
# precision, the weights stay in `float32`. Inside `torch.autocast`, convolutions and matrix products use
# 16 bits, and sensitive operations, such as the cross-entropy, use `float32`. The `GradScaler` is for
# `float16`; section 5 explains it. With `enabled=False` it does nothing.


# %%
def train(model, kind=None):
    """Train one epoch in the precision `kind`; None is float32."""
    model = model.to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    scaler = torch.amp.GradScaler(DEVICE.type, enabled=kind is torch.float16)
    for x, y in Batches((images, labels), batch_size=50).to(DEVICE):
        optimizer.zero_grad()
        with torch.autocast(DEVICE.type, dtype=kind, enabled=kind is not None):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return model.eval()


# %% [markdown]
# **A number with a truth.** Let $q(y \mid x)$ be the softmax of the model, and $p$ the true probabilities. Its
# cross-entropy on new images is
#
# $$\text{CE} = -\mathbb{E} \ln q(Y \mid X) = H(Y \mid X) + \mathbb{E}\, \text{KL}(p \,\|\, q) \ge H(Y \mid X)$$
#
# because a Kullback-Leibler divergence is never negative. We subtract both sides from $H(Y)$:
#
# $$H(Y) - \text{CE} \le H(Y) - H(Y \mid X) = I(X; Y)$$
#
# So $H(Y) - \text{CE}$ is a *lower bound* of the mutual information (Barber & Agakov 2003). An image determines
# its digit, and all ten digits are equally frequent. So the truth is $I(X; Y) = H(Y) = \ln 10$, and a guess
# with the probabilities $1/10$ gives 0.


# %%
def new_model():
    with encoders.seeded(0):
        network = encoders.ImageEncoder(dim=64, width=8).network
        return nn.Sequential(network, nn.Linear(64, 10))


@torch.no_grad()
def lower_bound(model):
    scores = model(new_images.to(DEVICE)).cpu()
    return entropy.sample_entropy(new_digits.labels) - F.cross_entropy(scores, new_labels).item()


kinds = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
models = {name: train(new_model(), kind) for name, kind in kinds.items()}
bounds = {name: lower_bound(model) for name, model in models.items()}
untrained = lower_bound(new_model().to(DEVICE).eval())
for name, nats in bounds.items():
    print(f"{name:>8}: {nats:.3f} nats of {np.log(10):.3f}; untrained {untrained:.3f}")
exercises.verify("16 bits learn as much as 32", min(bounds.values()) > bounds["float32"] - 0.1)

# %% [markdown]
# On a CPU, 16 bits save time only if the processor has instructions for them. So `fit`, the loop of the
# package, uses them on a GPU only, unless you ask for them with `autocast="bfloat16"`.
#
# **Which learning rate, and when?** The *learning rate* $\eta_t$ multiplies the step $t = 0, \ldots, T - 1$. At
# the start, the averages inside Adam are unreliable, so the rate rises during a *warm-up* of $w$ steps. At the
# end, small steps reduce the noise of the batches, so the rate falls along a cosine:
#
# $$\eta_t = \eta\, \frac{t + 1}{w} \quad (t < w), \qquad
# \eta_t = \frac{\eta}{2} \left(1 + \cos \frac{\pi (t - w)}{T - w}\right) \quad (t \ge w)$$
#
# *Weight decay* $\lambda$ shrinks the weights $\theta$ (in `fit`, not the biases) before each step of Adam:
# $\theta \leftarrow (1 - \eta_t \lambda)\, \theta$. It works against overfitting. We try the schedule and the
# decay separately. Our $\lambda = 3$ is far above usual values, so that a short run shows its effect.


# %%
class Classifier(nn.Module):  # `fit` gives the whole batch (x, y) to the model
    def __init__(self):
        super().__init__()
        self.network = new_model()

    def forward(self, batch):
        return self.network(batch[0])


def loss(outputs, batch):
    return F.cross_entropy(outputs, batch[1])


folder, by_fit = tempfile.TemporaryDirectory(), {}
runs = {"constant": {"schedule": "constant"}, "cosine": {"schedule": "cosine", "warmup": 16}}
runs["decay"] = {"schedule": "constant", "weight_decay": 3.0}
for name, settings in runs.items():
    by_fit[name], settings["log_dir"] = Classifier(), f"{folder.name}/{name}"
    fit(by_fit[name], loss, Batches((images, labels), 50), epochs=1, autocast=None, **settings)

# %%
T = len(images) // 50  # steps of one epoch
t = np.arange(T)  # the schedule by hand, with w = 16
falling = (1 + np.cos(np.pi * (t - 16) / (T - 16))) / 2
formula = 1e-3 * np.where(t < 16, (t + 1) / 16, falling)
norms = {name: model.network[1].weight.norm().item() for name, model in by_fit.items()}
for name, model in by_fit.items():
    nats = lower_bound(model.network)
    print(f"{name:>8}: {nats:.3f} nats, norm of the last weights {norms[name]:.2f}")
exercises.verify("weight decay makes the weights smaller", norms["decay"] < norms["constant"])

pairs = zip(models["float32"].parameters(), by_fit["constant"].parameters(), strict=True)
difference = max((a - b).abs().max().item() for a, b in pairs)
exercises.verify("the loop by hand = fit (compared on a CPU)", GPU or difference < 1e-6)

# %% [markdown]
# On a CPU, the loop by hand and `fit` give the same weights. A GPU may add numbers in another order. One epoch
# is too short to compare schedules: with the cosine, the mean rate is only about half as large.
#
# ## 5. What does half precision lose?
#
# **Question.** 16 bits can express at most 65,536 values. Which ones?
#
# **Formula.** A *floating point number* is $\pm\, 2^e \cdot 1.b_1 b_2 \ldots b_m$ in binary digits (at the
# lowest $e$, also with 0 in place of 1). More bits for the exponent $e$ give a larger range. More digits $m$
# give a smaller relative step, $2^{-m}$. `bfloat16` (Kalamkar et al. 2019) has the exponent of `float32`, and
# few digits. `float16` has more digits, and a small range.

# %%
formats = []
for kind in (torch.float32, torch.bfloat16, torch.float16):
    info = torch.finfo(kind)
    formats.append([str(kind)[6:], info.eps, info.max, info.smallest_normal * info.eps])
names = ["type", "relative step", "largest", "smallest above 0"]
print(pd.DataFrame(formats, columns=names).to_string(index=False, float_format="{:.1e}".format))
tiny = torch.tensor(2.0**-24).half().item(), torch.tensor(2.0**-26).half().item()
exercises.verify("float16 has 2^-24, and turns 2^-26 into 0", tiny == (2.0**-24, 0.0))

# %% [markdown]
# **The danger** is a small gradient: in `float16` it becomes 0. **The remedy** is *loss scaling*
# (Micikevicius et al. 2018). The gradient is linear in the loss, so
#
# $$\frac{1}{S}\, \nabla (S \cdot \text{loss}) = \nabla\, \text{loss}$$
#
# for any scale $S$. We multiply the loss by a large $S$, and divide the gradients in `float32` afterwards.
# `GradScaler` starts with $S = 2^{16} = 65{,}536$. But a scaled gradient above the largest
# `float16` becomes infinite.
#
# ### Exercise 2 · ★★ · 2 minutes · predict
#
# In one step, the scaled gradient is infinite. What should the scaler do? (a) Clip the gradient to the
# largest number, and take the step. (b) Leave out the step, and halve $S$. (c) Raise an error.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("infinite gradient", my_prediction_2)

# %% [markdown]
# We write the scaler by hand, for the loss $g \cdot v$ with one weight $v$. Its gradient is $g$. In `backward`
# the scaled gradient becomes a `float16`.

# %%
slopes = [1e-9, 1e-4, 2.0, 1e-4]  # the gradient g of each step
by_hand, scale = torch.tensor(0.0), 2.0**16
peer = nn.Parameter(torch.tensor(0.0))
optimizer = torch.optim.SGD([peer], lr=1.0)
scaler = torch.amp.GradScaler("cpu", init_scale=scale)
for g in slopes:
    gradient = torch.tensor(scale * g).half()
    if gradient.isfinite():
        by_hand = by_hand - gradient.float() / scale
    else:
        scale = scale / 2
    optimizer.zero_grad()
    scaler.scale(torch.tensor(g) * peer.half()).backward()
    scaler.step(optimizer)
    scaler.update()
    unscaled = torch.tensor(g).half()
    print(f"{g:.0e}: in float16 {unscaled:.0e}, scaled {gradient:.1e}; then S = {scale:,.0f}")
exercises.verify("the scale by hand = GradScaler", scale == scaler.get_scale())
exercises.verify("the weight by hand = GradScaler", abs(by_hand - peer.item()) < 1e-7)

# %% [markdown]
# The step with gradient 2 is lost, because $2 \cdot 65{,}536$ is infinite in `float16`. After many
# steps without an infinite gradient, the scaler doubles $S$ again. `bfloat16` needs no scale, because it has
# the range of `float32`.
#
# ## 6. What if memory runs out?
#
# **Question.** Sooner or later, a run ends with "out of memory". What does this error say?

# %%
try:
    torch.empty(2**48, device=DEVICE)  # 2^48 numbers of 4 bytes: 2^50 bytes
except RuntimeError as error:
    message = str(error).split("] ")[-1].split(". Error code")[0]
    print(f"{type(error).__name__}: {message}")

# %% [markdown]
# The message names the bytes of *one* tensor: the first one that did not fit. On a GPU the error is an
# `OutOfMemoryError`, and also states the total and the free memory. The cause is the sum of everything that is
# kept. For $P$ parameters, a batch of $B$ items and Adam this is about
#
# $$16\, P + a\, B \;\text{bytes}$$
#
# The 16 bytes are a weight, its gradient and two averages of Adam, 4 bytes each. The bytes $a$ of an item are
# its *activations*: `backward` needs the outputs of the layers, so autograd keeps them. We count them. The
# network below has $L = 9$ layers, a convolution with 8 maps of $28 \times 28$ and a ReLU each. A ReLU keeps
# its output, and the next convolution needs the same tensor. So $a = 4 \cdot 784 \cdot (1 + 8 L)$, with 1 for
# the image, plus some bytes for the loss.


# %%
def layer(maps_in):
    return nn.Sequential(nn.Conv2d(maps_in, 8, 3, padding=1), nn.ReLU())


L, B = 9, 128
with encoders.seeded(0):
    body = nn.Sequential(*[layer(1 if i == 0 else 8) for i in range(L)]).to(DEVICE)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)).to(DEVICE)
    for convolution, _ in body:
        nn.init.kaiming_normal_(convolution.weight)  # keeps the scale from layer to layer
parameters = [*body.parameters(), *head.parameters()]
weights = {weight.data_ptr() for weight in parameters}


# %%
def kept_bytes(forward):
    """Return the bytes of all tensors that autograd keeps for `backward`, without weights."""
    kept = {}

    def count(tensor):
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss_value = forward()  # holds the kept tensors
    return sum(kept.values()) + 0 * loss_value.item()


chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:B]
x, y = images[chosen].to(DEVICE), labels[chosen].to(DEVICE)
counted = kept_bytes(lambda: F.cross_entropy(head(body(x)), y))
print(f"counted {counted / 1e6:.2f} MB, formula {B * 4 * 784 * (1 + 8 * L) / 1e6:.2f} MB")
exercises.verify("the formula holds", abs(counted / (B * 4 * 784 * (1 + 8 * L)) - 1) < 0.01)

# %% [markdown]
# **Four remedies.**
#
# 1. *A smaller batch* needs proportionally less. But it changes the gradient: fewer items, more noise.
# 2. *Accumulation*: pass the batch in $n$ equal parts, and add their gradients, each divided by $n$. The sum
#    is the gradient of the whole batch, if the loss is a mean over items and no layer mixes items, as
#    BatchNorm does.
# 3. *Checkpoints* (Chen et al. 2016): cut the layers into $s$ segments, keep only the input of each, and
#    compute a segment a second time when `backward` needs it.
# 4. *Half precision*: 2 bytes in place of 4, with the errors of section 5.
#
# ### Exercise 3 · ★★ · 3 minutes · derive
#
# With checkpoints, $s$ inputs are kept, and during `backward` the $L / s$ outputs of one segment. Count in
# units of one output. Order the lines so that each follows from the one before.
#
# (a) $1 = L / s^2$
#
# (b) memory $= s + L / s$
#
# (c) the best $s$ is $\sqrt{L}$, and the memory is $2 \sqrt{L}$
#
# (d) the derivative by $s$ is $1 - L / s^2$, and it is 0 at the minimum

# %% tags=["exercise"]
my_order = None  # four letters, for example "abcd"

exercises.check("square root of the layers", my_order)


# %%
def whole(part=slice(None)):
    return F.cross_entropy(head(body(x[part])), y[part])


def checkpointed(part=slice(None)):
    outputs = checkpoint_sequential(body, 3, x[part], use_reentrant=False)
    return F.cross_entropy(head(outputs), y[part])


def halved(part=slice(None)):
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        return whole(part)


quarters = [slice(start, start + B // 4) for start in range(0, B, B // 4)]
remedies = {
    "whole batch": (whole, [slice(None)]),
    "1 smaller batch": (whole, quarters[:1]),
    "2 accumulation": (whole, quarters),
    "3 checkpoints": (checkpointed, [slice(None)]),
    "4 bfloat16": (halved, [slice(None)]),
}


# %%
def gradient_of(forward, parts):
    total = 0
    for part in parts:
        gradients = torch.autograd.grad(forward(part) / len(parts), parameters)
        total = total + torch.cat([gradient.flatten() for gradient in gradients])
    return total


rows, exact = [], gradient_of(*remedies["whole batch"])
for name, (forward, parts) in remedies.items():
    kept = max(kept_bytes(lambda: forward(part)) for part in parts)  # noqa: B023
    peak = measure_bytes(lambda: gradient_of(forward, parts))  # noqa: B023
    error = (gradient_of(forward, parts) - exact).norm() / exact.norm()
    took = measure_seconds(lambda: gradient_of(forward, parts), repetitions=1)  # noqa: B023
    rows.append([name, kept / 1e6, peak / 1e6, 1000 * took, error.item()])
names = ["remedy", "kept, MB", "peak of a step, MB", "ms", "error of the gradient"]
memory = pd.DataFrame(rows, columns=names).set_index("remedy")
print(memory.to_string(float_format="{:.3g}".format))
kept_mb, errors = memory["kept, MB"], memory["error of the gradient"]
exercises.verify("2 and 3 keep the gradient", errors.iloc[2:4].max() < 1e-2 < errors.iloc[1])
exercises.verify("each remedy keeps fewer bytes", kept_mb.iloc[1:].max() < 0.6 * kept_mb.iloc[0])

# %% [markdown]
# "Kept" is the count of `kept_bytes`. "Peak" is what PyTorch really had allocated at the worst moment (on a GPU
# the same call asks the GPU). "Error" is the norm of the difference from the gradient of the whole batch,
# divided by the norm of that gradient. The checkpoints keep the image, the inputs of segments 2 and 3, and all
# outputs of the last segment, because `backward` begins there. Remedies can be combined. For a contrastive
# loss, accumulation is not exact; `chunk=` of `fit` is ([notebook 12](12_large_batches.ipynb)).
#
# ## 7. What limits the speed?
#
# **Question.** A data sheet says that a T4 calculates $8.1 \cdot 10^{12}$ operations a second. Why does a
# program almost never reach such a number?
#
# **Idea.** There are two limits: *arithmetic*, the operations a second, and *memory traffic*, the bytes a
# second. A calculation of $W$ operations that moves $Q$ bytes takes at least $W / \text{arithmetic}$ seconds,
# and at least $Q / \text{traffic}$ seconds. So its rate has an upper bound, the *roofline* (Williams et al.
# 2009):
#
# $$\frac{W}{\text{time}} \le \min\left(\text{arithmetic},\; \frac{W}{Q} \cdot \text{traffic}\right)$$
#
# $W / Q$ is the *intensity*. Both limits are equal at the *balance*, the intensity arithmetic / traffic. We
# measure the limits with a large matrix product and with a copy. (1 Gflop/s is $10^9$ operations a second.) On
# a GPU, a line returns before its work is done. So `measure_seconds` waits until the work is done. It leaves
# out the first run, and takes the shortest time.

# %%
n, length = (8192, 2**28) if GPU else (1024, 2**25)
left, right, out = torch.randn(3, n, n, device=DEVICE)
source, target = torch.zeros(2, length, device=DEVICE)
arithmetic = 2 * n**3 / measure_seconds(lambda: torch.mm(left, right, out=out))
traffic = 2 * 4 * length / measure_seconds(lambda: target.copy_(source))
balance = arithmetic / traffic
print(f"arithmetic {arithmetic / 1e9:.0f} Gflop/s, traffic {traffic / 1e9:.1f} GB/s")
print(f"balance: {balance:.1f} operations for each byte")

# %% [markdown]
# Now we compare with the roofline. The scores of $B$ queries and $B$ keys of length $d$ are a matrix product
# with $W = 2 B^2 d$ operations. It reads $2 B d$ numbers and writes $B^2$, so $Q = 4 (B^2 + 2 B d)$ bytes.
# For small $d$, almost all of $Q$ is writing. One more point: the products of all pairs for $d = 1$, *without*
# the matrix product, by broadcasting.

# %%
B, widths = (16384 if GPU else 4096), np.array([2, 8, 32, 128, 512])
scores, speed = torch.empty(B, B, device=DEVICE), []
for d in widths:
    queries, keys = torch.randn(2, B, int(d), device=DEVICE)
    took = measure_seconds(lambda: torch.mm(queries, keys.T, out=scores), repetitions=3)  # noqa: B023
    speed.append(2 * B**2 * d / took / 1e9)
intensity = 2 * B**2 * widths / (4 * (B**2 + 2 * B * widths))
row, column = torch.randn(2, B, device=DEVICE)
took = measure_seconds(lambda: torch.mul(row[:, None], column, out=scores), repetitions=3)
broadcast = B**2 / took / 1e9  # one operation for each of the B^2 numbers
limit = np.minimum(arithmetic, intensity * traffic) / 1e9
table = {
    "d": widths,
    "intensity": intensity,
    "Gflop/s": speed,
    "part of the roofline": speed / limit,
}
print(pd.DataFrame(table).to_string(index=False, float_format="{:.2f}".format))
print(f"broadcasting: {broadcast / (traffic / 4e9):.2f} of the roofline at intensity 0.25")
print(f"the widest product is {speed[-1] / speed[0]:.0f} times as fast as the narrowest")

# %%
grid = np.geomspace(0.15, 400, 500)
figure, ax = plt.subplots(figsize=(7.5, 4))
ax.plot(grid, np.minimum(arithmetic, grid * traffic) / 1e9, label="roofline", **figures.TRUTH)
ax.plot(intensity, speed, "o", label="matrix product of B x d and d x B")
ax.plot(0.25, broadcast, "s", label="broadcasting, d = 1")
ax.axvline(balance, color="0.6", linewidth=1, label="balance")
for d, at, rate in zip(widths, intensity, speed, strict=True):
    ax.annotate(f"d = {d}", (at, rate), (6, -14), textcoords="offset points", fontsize=10)
ax.set(xscale="log", yscale="log", xlabel="intensity, operations for each byte", ylabel="Gflop/s")
ax.legend(loc="lower right")
figures.show(
    "Figure 2. Left of the balance memory traffic is the limit, right of it arithmetic.",
    alt="Logarithmic axes. A dashed roofline rises with slope 1 up to a vertical line at the balance, "
    "and is flat right of it. Points of the matrix product from d = 2 to d = 512 rise with d and "
    "approach the flat part. A square for broadcasting stands at intensity 0.25.",
)

# %% [markdown]
# **Why do points lie below the roofline?** It is an upper bound. A matrix product is tuned for long inner
# dimensions. With $d = 2$, its loops are almost empty, and the routine costs more than the traffic.
# Broadcasting writes the same matrix without this routine. A second reason: before a processor writes a part
# of a line of memory, it often reads this line, which $Q$ does not count. **Why can a point lie above?** Both
# limits are measurements: of one product and one copy, in another moment, beside other programs.
#
# Activation functions, normalizations and optimizers are far on the left. Faster arithmetic does not help
# them. Fewer bytes help: 16 bits, or fewer passes over the same numbers.
#
# ## 8. What happens inside a step?
#
# **Question.** Which operations take the time? And is the run healthy?
#
# A *profiler* records every operation of PyTorch with its time. We record three passes forward and backward.

# %%
activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * GPU
network, step_x, step_y = new_model().to(DEVICE), images[:50].to(DEVICE), labels[:50].to(DEVICE)
F.cross_entropy(network(step_x), step_y).backward()  # the first pass sets things up
with profile(activities=activities) as trace:
    for _ in range(3):
        F.cross_entropy(network(step_x), step_y).backward()
events = trace.key_averages()
own_time = "self_device_time_total" if GPU else "self_cpu_time_total"
events = sorted(events, key=lambda event: -getattr(event, own_time))
total_time = sum(getattr(event, own_time) for event in events)
for event in events[:6]:
    fraction = getattr(event, own_time) / total_time
    print(f"{event.key[:50]:<50} {event.count:4} calls {fraction:5.0%} of the time")
calls = {event.key: event.count for event in events}
exercises.verify("three convolutions in each of three passes", calls["aten::convolution"] == 9)

# %% [markdown]
# *TensorBoard* shows curves in the browser during a run. `SummaryWriter.add_scalar(name, value, step)` of
# PyTorch writes them into an *event file*. `fit(log_dir=...)` of section 4 has done so. In Colab, the lines
# `%load_ext tensorboard` and `%tensorboard --logdir FOLDER` show its curves. The next cell reads the files
# back, and compares the learning rate of the run with the formula of section 4.

# %%
if importlib.util.find_spec("tensorboard"):  # comes with Colab, and with the extra "notebooks"
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    panels = plt.subplots(1, 2, figsize=(9, 3.2))[1]
    for name in ("constant", "cosine"):
        log = reader.EventAccumulator(f"{folder.name}/{name}").Reload()
        rates = [event.value for event in log.Scalars("step/learning_rate")]
        panels[0].plot(rates, label=name)
        panels[1].plot([event.value for event in log.Scalars("step/loss")], label=name)
    panels[0].plot(formula, label="formula", **figures.TRUTH)
    panels[1].axhline(np.log(10), label="guess: ln 10", **figures.TRUTH)
    panels[0].set(xlabel="step", ylabel="learning rate", ylim=(0, 1.6e-3))
    panels[0].legend(loc="upper right")
    panels[1].set(xlabel="step", ylabel="cross-entropy, nats", ylim=(0, 3.8))
    panels[1].legend(loc="upper right")
    figures.show(
        "Figure 3. The event files contain the learning rate of the formula, and the loss.",
        alt="Left: learning rate against step, constant at 0.001, and a cosine along the dashed "
        "formula. Right: cross-entropy falls from ln 10 (dashed) in both runs.",
    )
    assert np.allclose(rates, formula)

# %% [markdown]
# ## What the article gets wrong
#
# The articles promise speed on GPUs, and measure none. Two claims can be tested on any machine.
#
# **The value of an epoch.** Their loops print the value of the *last batch* as that of the epoch. For batches
# of sizes $n_i$ with mean losses $\ell_i$, the mean over the items is
#
# $$\frac{\sum_i n_i\, \ell_i}{\sum_i n_i}$$
#
# **"A memory makes feature extraction cheaper."** To query a memory, a new image has to be encoded first. Then
# the memory compares the query with all its keys, and averages them with softmax weights. So the time can
# only grow. We use one key for each of the 4,000 training images.

# %%
outputs = models["float32"](new_images.to(DEVICE)).detach()
losses = F.cross_entropy(outputs, new_labels.to(DEVICE), reduction="none")
shuffled = losses[torch.randperm(len(losses), generator=torch.Generator().manual_seed(0))]
of_batches = [part.mean().item() for part in shuffled.split(32)]
print(
    f"epoch {losses.mean():.3f} nats; one batch of 32: {min(of_batches):.3f} to {max(of_batches):.3f}"
)
exercises.verify(
    "a batch can have 1.5 times the loss of another", max(of_batches) > 1.5 * min(of_batches)
)

encode = models["float32"][0]
with torch.inference_mode():
    keys, queries = encode(images.to(DEVICE)), encode(new_images.to(DEVICE))
    encoding = measure_seconds(lambda: encode(new_images.to(DEVICE)), repetitions=2)
    look_up = measure_seconds(lambda: (queries @ keys.T).softmax(dim=1) @ keys, repetitions=2)
print(f"without memory {1000 * encoding:.0f} ms, with memory {1000 * (encoding + look_up):.0f} ms")

# %% [markdown]
# A memory helps if the *same* items come again under a known name. Then a stored vector replaces an encoding.
#
# ## Appendix: four switches
#
# Four switches can make a step faster. They do not change its result, except for rounding.
#
# - *Threads*: on a CPU, `torch.set_num_threads`. (Beside other busy programs, threads wait for each other, and
#   a step can even become slower.)
# - *Layout*: `channels_last` stores all channels of a pixel side by side. Some convolutions are faster then.
# - *No gradients*: `torch.inference_mode()`, if you only evaluate. Nothing is kept for `backward`.
# - *Compilation*: `torch.compile` records the operations of a function as a graph, and a compiler makes one
#   program of them. One pass over memory then does what took five. The first call takes many seconds.

# %%
layout = copy.deepcopy(body).to(memory_format=torch.channels_last)
x_layout = x.to(memory_format=torch.channels_last)


def with_threads():
    torch.set_num_threads(environment.cores())
    outputs = body(x)
    torch.set_num_threads(1)
    return outputs


def without_gradients():
    with torch.inference_mode():
        return body(x)


ways = {"as it is": lambda: body(x), f"{environment.cores()} threads": with_threads}
ways |= {"channels_last": lambda: layout(x_layout), "no gradients": without_gradients}
for name, way in ways.items():
    took = measure_seconds(way, repetitions=3)
    print(f"{name:<14} {1000 * took:6.1f} ms")
    torch.testing.assert_close(way(), body(x), rtol=1e-2, atol=1e-2)

# %% [markdown]
# On a CPU, `torch.compile` needs a C++ compiler. The function below has five
# operations. First a backend of our own prints the graph, and compiles nothing.


# %%
def bend(x):
    return x * torch.sigmoid(x) + 0.1 * torch.sin(x)


def record(graph, inputs):
    names = [node.name for node in graph.graph.nodes if node.op.startswith("call")]
    print(f"recorded: {', '.join(names)}")
    return graph.forward


numbers = torch.randn(2**22, device=DEVICE)
recorded = torch.compile(bend, backend=record)
exercises.verify("the graph gives the same", torch.equal(recorded(numbers), bend(numbers)))
if shutil.which("g++"):
    torch.compiler.reset()
    compiled = torch.compile(bend)
    torch.testing.assert_close(compiled(numbers), bend(numbers), rtol=1e-4, atol=1e-5)
    before, after = [measure_seconds(lambda: f(numbers)) for f in (bend, compiled)]  # noqa: B023
    print(f"eager {1000 * before:.1f} ms, compiled {1000 * after:.1f} ms")
else:
    print("torch.compile: there is no C++ compiler on this machine, so it is not measured here")

# %% [markdown]
# ## Recap
#
# - Model and data must be on the same device. `model.to` works in place, `x.to` returns a copy.
# - In mixed precision, the weights stay in `float32`. `float16` needs a scaled loss, `bfloat16` does not.
# - Training keeps about $16 P + a B$ bytes. Accumulation and checkpoints save memory and keep the gradient.
# - The roofline has two limits. Little work for each byte means that memory traffic is the limit.
# - No cell of this page was run on a GPU. Run the cells on yours.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/11_gpu_training.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/11_gpu_training.ipynb).
#
# ### Exercise 4 · ★★ · 2 minutes · find the bug
#
# This step limits the norm of the gradient to 1. The optimizer is plain gradient descent, `SGD`. But the
# weights hardly move. Which line is wrong?
#
# ```python
# 1  optimizer.zero_grad()
# 2  with torch.autocast("cuda", dtype=torch.float16): loss = F.cross_entropy(model(x), y)
# 3  scaler.scale(loss).backward()
# 4  nn.utils.clip_grad_norm_(model.parameters(), 1.0)
# 5  scaler.step(optimizer)
# 6  scaler.update()
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "6"

exercises.check("clipped too early", my_wrong_line)

# %% [markdown]
# ### Exercise 5 · ★ · 1 minute · choose
#
# During training, `nvidia-smi` shows a utilization of 15 %. What do you try first? (a) Speed up the preparation
# of the batches. (b) Half precision. (c) Checkpoints.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("idle GPU", my_choice)

# %% [markdown]
# ### Exercise 6 · ★ · 2 minutes · function
#
# The largest batch $B$ for which $16 P + a B$ bytes fit into a memory.


# %% tags=["exercise"]
def my_batch(memory, P, a):
    """Return the largest whole B with 16 P + a B <= memory (all in bytes); 0 if there is none."""
    ...  # your code


exercises.check("batch that fits", my_batch)

# %% [markdown]
# ### Exercise 7 · ★ · 2 minutes · function
#
# The mean loss of an epoch over its items, from the mean losses and the sizes of its batches.


# %% tags=["exercise"]
def my_epoch_mean(losses, sizes):
    """Return the mean over items, from arrays: mean losses of batches, and their sizes."""
    ...  # your code


exercises.check("epoch mean", my_epoch_mean)

# %% [markdown]
# ## What to try next
#
# - Run this notebook on a free GPU of Colab, and compare the balance with that of your CPU.
# - Train for ten epochs with both schedules, and with learning rates from 0.0001 to 0.01.
# - Double the batch of section 6 until your memory is full, and read the message.
# - Replace a `DataLoader` of your own project with data on the device, and profile one step of each.
#
# ## References
#
# - Micikevicius, P., et al. (2018). Mixed precision training. https://arxiv.org/abs/1710.03740
# - Kalamkar, D., et al. (2019). A study of BFLOAT16 for deep learning training. https://arxiv.org/abs/1905.12322
# - Chen, T., Xu, B., Zhang, C., & Guestrin, C. (2016). Training deep nets with sublinear memory cost. https://arxiv.org/abs/1604.06174
# - Williams, S., Waterman, A., & Patterson, D. (2009). Roofline: an insightful visual performance model. https://doi.org/10.1145/1498765.1498785
# - Loshchilov, I., & Hutter, F. (2017). SGDR: stochastic gradient descent with warm restarts. https://arxiv.org/abs/1608.03983
# - Loshchilov, I., & Hutter, F. (2019). Decoupled weight decay regularization. https://arxiv.org/abs/1711.05101
# - Barber, D., & Agakov, F. (2003). The IM algorithm: a variational approach to information maximization. https://papers.nips.cc/paper/2410-information-maximization-in-noisy-channels-a-variational-approach
# - NVIDIA (2019). T4 tensor core GPU, data sheet: the source of $8.1 \cdot 10^{12}$ operations a second.
#
# Previous: [10 · From any modality to any other](10_cross_modal_generation.ipynb) · Next: [12 · Large batches and several processes](12_large_batches.ipynb)
