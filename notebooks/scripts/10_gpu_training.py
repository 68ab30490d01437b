# %% [markdown]
# # 10 · Training on a GPU, and without one
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/10_gpu_training.ipynb)
#
# *From a laptop to a GPU to several: the limits of your own machine, a contrastive loss without the square of the batch, mixed precision, a run that survives being killed, and two processes that agree.*
#
# **What you will learn**
#
# - what the **two limits** of a machine are, arithmetic and memory traffic, and which one you hit;
# - how a contrastive loss of a **large batch** fits into little memory, exactly;
# - what **half precision** loses, and what saves it;
# - what the **batch size** does to the bound on mutual information, and what it does not;
# - how a run that is **killed** ends with the very same bits, and how **two processes** reach the
#   gradient of one.
#
# **In the package**: `training`, `contrastive`.
#
# <!-- measured -->
# About 50 minutes to work through.
# Measured: 48 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
# <!-- /measured -->

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it from this clone, or from GitHub
    clone = Path("../pyproject.toml").is_file()
    source = ".." if clone else "git+https://github.com/simmim-lite/simmim-lite"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()

# %%
import json
import os
import tempfile
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch.utils.checkpoint import checkpoint

from simmim_lite import bounds, datasets, environment, exercises, figures
from simmim_lite.contrastive import info_nce_loss
from simmim_lite.encoders import ImageEncoder, TabularEncoder
from simmim_lite.environment import measure_bytes, measure_seconds
from simmim_lite.multimodal import MultimodalInfoMax
from simmim_lite.training import compare_gathers

figures.set_style()
os.environ["KINETO_LOG_LEVEL"] = "99"  # else the profiler writes to stderr

# %% [markdown]
# ## 1. What can this machine do?
#
# **Question.** "My GPU has 65 teraflops" is a number from a data sheet. What does *your* machine reach,
# and when?
#
# **Idea.** There are two limits: how fast it calculates, and how fast it reads and writes memory. A
# large product of matrices shows the first, a copy the second. Time on a GPU needs care: its work is
# only *ordered* when a line of Python returns. `measure_seconds` waits for it, throws away the first
# run, which sets things up, and takes the least of the others.

# %%
GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
n, length = (8192, 2**28) if GPU else (1024, 2**25)
a, b, out = torch.randn(3, n, n, device=DEVICE)
source, copy = torch.zeros(2, length, device=DEVICE)
products = 2 * n**3 / measure_seconds(lambda: torch.mm(a, b, out=out))
copies = 2 * 4 * length / measure_seconds(lambda: copy.copy_(source))

print(f"{environment.hardware()}, {torch.get_num_threads()} thread(s) on the CPU")
print(f"arithmetic {products / 1e9:.0f} Gflop/s, memory {copies / 1e9:.0f} GB/s")
print(f"balance: {products / copies:.1f} operations for each byte that is read or written")

# %% [markdown]
# **Formula.** A calculation of $W$ operations that moves $Q$ bytes can't be faster than either limit
# allows; drawn over the *intensity* $W/Q$, this is a roof (Williams et al. 2009):
#
# $$\frac{W}{t} \le \min\left(\text{arithmetic},\; \frac{W}{Q} \cdot \text{memory}\right)$$
#
# The scores of a contrastive loss are a product of two tall, narrow matrices, $B$ embeddings of $d$
# numbers each. The smaller $d$, the less there is to calculate for each score that is written.

# %%
B, widths = (16384 if GPU else 4096), [2, 8, 32, 128, 512]
scores = torch.empty(B, B, device=DEVICE)
rate, intensity = [], np.array([2 * B * B * d / (4 * (B * B + 2 * B * d)) for d in widths])
for q, k in (torch.randn(2, B, d, device=DEVICE) for d in widths):
    took = measure_seconds(lambda: torch.mm(q, k.T, out=scores), repetitions=3)  # noqa: B023
    rate.append(2 * q.numel() * B / took / 1e9)

figure, axes = plt.subplots()
axes.plot(intensity, rate, "o-", label="product of two B x d matrices")
roof = np.minimum(products, intensity * copies) / 1e9
axes.plot(intensity, roof, label="the roof of this machine", **figures.TRUTH)
for d, x, y in zip(widths, intensity, rate, strict=True):
    axes.annotate(f"d = {d}", (x, y), (0, -16), textcoords="offset points", ha="center")
axes.set(xscale="log", yscale="log", xlabel="operations for each byte", ylabel="Gflop/s")
axes.margins(0.08, 0.15)
axes.legend()
plt.show()

# %% [markdown]
# Left of the edge memory is the limit, right of it arithmetic. (A point above the roof: caches are
# faster than the memory that the copy measured, and the lines to the left have little to bring from
# it.) An exponential or a sum over all $B^2$ scores lies at the far left, however fast the processor.
#
# ## 2. What does a contrastive batch cost?
#
# **Question.** InfoNCE wants a large batch: it cannot show more than $\ln B$ nats (notebook 03). The plain
# formula makes all $B \times B$ scores, their logarithms and their gradients, both ways. How much memory
# is that, and does it have to be?
#
# **Idea.** A row of scores is needed for its sum, and for its part of the gradient; after that it can
# go. So work on some rows at a time. PyTorch has the tool: `checkpoint` forgets what it computed and
# computes it again on the way back. The whole loss, both ways, in twelve lines:


# %%
def checkpointed(queries, keys, temperature, tile=128):
    total = -2 * (queries * keys).sum() / temperature
    for x, y in ((queries, keys), (keys, queries)):
        for part in x.split(tile):
            log_sums = checkpoint(
                lambda part, y: (part @ y.T / temperature).logsumexp(dim=1),
                *(part, y),
                use_reentrant=False,
            )
            total = total + log_sums.sum()
    return total / (2 * len(queries))


# %%
q, k = F.normalize(torch.randn(2, 300, 32, dtype=torch.float64), dim=-1)
inputs = [v.requires_grad_() for v in (q, k, torch.tensor(0.1, dtype=torch.float64))]
scores, own = q @ k.T / inputs[2], torch.arange(300)
dense = (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
truth = [dense, *torch.autograd.grad(dense, inputs)]

for loss in (checkpointed, info_nce_loss):
    value = loss(*inputs, tile=64)
    found = [value, *torch.autograd.grad(value, inputs)]
    worst = max((x - y).abs().max().item() for x, y in zip(found, truth, strict=True))
    print(f"{loss.__name__:<14} loss and gradients differ from the dense ones by {worst:.0e}")
    assert worst < 1e-12

# %% [markdown]
# Exact, temperature included. `info_nce_loss` of the package works the same way, but forms the gradient
# while the scores are there. Now time and memory; `measure_bytes` counts every block that is allocated
# and freed, so that it gives the same number on every machine.

# %%
own = torch.arange(16384, device=DEVICE)
losses = {
    "dense": lambda q, k: (
        F.cross_entropy(scores := q @ k.T / 0.1, own[: len(q)])
        + F.cross_entropy(scores.T, own[: len(q)])
    ),
    "checkpointed": lambda q, k: 2 * checkpointed(q, k, 0.1),
    "info_nce_loss": lambda q, k: 2 * info_nce_loss(q, k, 0.1, tile=None if GPU else 128),
}
rows = []
for B in (2048, 4096, 8192, 16384) if GPU else (512, 1024, 2048, 4096):
    pair = F.normalize(torch.randn(2, B, 128, device=DEVICE), dim=-1).requires_grad_()
    for name, loss in losses.items():
        step = lambda: loss(*pair).backward()  # noqa: B023, E731
        rows.append((name, B, "ms", 1e3 * measure_seconds(step, repetitions=3)))
        rows.append((name, B, "MB", measure_bytes(step) / 1e6))
costs = pd.DataFrame(rows, columns=["loss", "B", "unit", "cost"])

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4))
for panel, (unit, part) in zip(panels, costs.groupby("unit"), strict=True):
    figures.estimates(part, x="B", y="cost", by="loss", truth=None, log=True, ax=panel)
    panel.set(yscale="log", ylabel=unit, xlabel="batch B")
plt.show()

# %%
table = costs.pivot_table(index="B", columns=["unit", "loss"], values="cost")
slopes = pd.Series(np.polyfit(np.log(table.index), np.log(table), 1)[0], table.columns)
print("slopes on logarithmic axes\n" + slopes.unstack().round(2).to_string())
assert abs(slopes["MB", "dense"] - 2) < 0.1
assert max(slopes["MB", "checkpointed"], slopes["MB", "info_nce_loss"]) < 1.2

# %% [markdown]
# All three look at $B^2$ scores, so the time grows with a slope near 2. The memory of the dense loss does so,
# too; that of the others grows with $B$ alone. On a CPU `info_nce_loss` is also the fastest: a tile
# stays in the cache. (`tile=128` shows the principle. Left to itself, the loss keeps the scores of
# batches up to 4,096 and works through larger ones.)
#
# ## 3. What does half precision lose?
#
# **Question.** GPUs are several times as fast in 16 bits. What does one pay?
#
# **Idea.** `float16` spends its bits on digits (three) and has no number between 0 and $6 \cdot 10^{-8}$;
# `bfloat16` spends them on range and has two digits. Two things can be hurt here: a *score*, which
# the temperature has made large, and a *gradient*, which a good fit has made small.

# %%
generator = torch.Generator().manual_seed(0)
x, noise = torch.randn(2, 1024, 64, generator=generator, dtype=torch.float64)
q, k = F.normalize(x, dim=1).requires_grad_(), F.normalize(x + noise, dim=1)
rows = []
for t, kind in [(t, kind) for t in (0.1, 0.02) for kind in (torch.bfloat16, torch.float16)]:
    exact = torch.autograd.grad(info_nce_loss(q, k, t), q)[0]
    row = {"temperature": t, "kind": str(kind)[6:]}
    with torch.autocast("cpu", dtype=kind):
        scores, own = q.float() @ k.float().T / t, torch.arange(1024)
        row["dense"] = (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
        row["info_nce_loss"] = info_nce_loss(q.float(), k.float(), t)
    for name in ("dense", "info_nce_loss"):
        error = torch.autograd.grad(row[name], q)[0] - exact
        row[name] = (error.norm() / exact.norm()).item()
    for name, factor in {"zeros": 1, "zeros, scaled": 2**16}.items():
        row[name] = ((factor * exact).to(kind) == 0).double().mean().item()
    rows.append(row)

# %%
rounding = pd.DataFrame(rows).set_index(["temperature", "kind"])
print("relative error of the gradient under autocast, and what 16 bits turn into zero")
print(rounding.map("{:.0e}".format).to_string())
assert (rounding["dense"] > 20 * rounding["info_nce_loss"]).all()
assert rounding["zeros"].max() > 0.5 > 0.01 > rounding["zeros, scaled"].max()

# %% [markdown]
# Under `autocast` a product of matrices is rounded to 16 bits. `info_nce_loss` steps out of it: the
# encoders may be fast, the loss stays in `float32`. The last columns are what gradient *scaling* is
# for: at the low temperature most of the gradient is too small for `float16`. Multiply the loss by
# 65,536 before going back, divide the gradient by it after, and nothing is lost, as long as no number
# passes 65,504. `fit` does it whenever it uses `float16`, and finds the factor itself.
#
# ## 4. What does the batch size do?
#
# **Question.** Train the same encoders with batches of 32, 128 and 512 pairs, the same number of epochs.
# Does a small batch learn less, or does it only *show* less?
#
# **Data.** Real digits, each with the caption that fixed rules read off its strokes. The caption follows
# from its image, so the two share exactly the entropy of the captions, which can be counted.

# %%
images, captions = datasets.load_digits("all").images, datasets.load_captions("all")
columns = zip((10, 3, 3, 3), captions.cells.T, strict=True)
words = np.hstack([np.eye(n, dtype=np.float32)[cell] for n, cell in columns])
cut = len(words) * 4 // 5
train, test = ({"image": images[s], "caption": words[s]} for s in (slice(cut), slice(cut, None)))
print(f"{len(words):,} pairs share {captions.entropy:.2f} nats; one is {captions.texts[0]!r}")

# %% [markdown]
# **Formula.** Among $K$ candidates, $n$ of which happen to have the partner's very caption, nothing can
# show more than $\mathbb{E} \ln \frac{K}{1 + n}$, a little less than $\ln K$.

# %%
counts = np.unique(captions.cells, axis=0, return_counts=True)[1]
rows = []
for K in (32, 128, 512):
    model = MultimodalInfoMax({"image": ImageEncoder(width=8), "caption": TabularEncoder(19)})
    history = model.fit(train, batch_size=K, epochs=6)
    scores = model.scores(model.project(test), "image", "caption")
    ceiling = bounds.class_paired_ceiling(K, counts / counts.sum())
    shown = history["image-caption"][-1], bounds.info_nce(scores).item()
    rows.append([K, history.steps, ceiling, *shown, np.median(history["samples_per_second"])])

# %%
names = ["K", "steps", "ceiling", "in training", f"of {len(scores):,} new pairs", "samples/s"]
batch_sizes = pd.DataFrame(rows, columns=names).set_index("K").round(2)
print(batch_sizes.to_string())
assert (batch_sizes["in training"] < batch_sizes["ceiling"] + 0.05).all()
assert batch_sizes.loc[32].iloc[3] > batch_sizes.loc[32, "ceiling"]

# %% [markdown]
# In training a batch of 32 cannot show more than its ceiling. Among a thousand new pairs the *same
# network* shows more than that: the ceiling belongs to the question that one asks, not to what was
# learned. It even learned as much as with 128, and more than with 512, for in the same number of
# epochs it took more steps. What a large batch does give is speed (last column), less noise in each
# step, and a bound that can show what was learned.
#
# ## 5. Does a run survive being killed?
#
# **Question.** A free GPU session ends when it pleases. Can the next one go on, and does it arrive at
# the *same* weights?
#
# **Idea.** A checkpoint has to hold everything that the rest of the run depends on: weights,
# optimizer, schedule, and the place in the stream of random numbers and of data. And it has to be
# there or not: written under another name, forced to the disk, renamed, with a checksum inside.
# `python -m simmim_lite train` does it. One run is left in peace, the other one killed (SIGKILL: no
# chance to tidy up) as soon as it has left a checkpoint.

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
quiet["env"] = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
train_command = [sys.executable, "-m", "simmim_lite", "train", "multimodal", "--steps", "40"]
commands = {name: [*train_command, "--output", str(folder / name)] for name in ("calm", "killed")}
runs = {name: subprocess.Popen(command, **quiet) for name, command in commands.items()}
while not (left := sorted((folder / "killed").glob("checkpoints/*.safetensors"))):
    time.sleep(0.05)
runs["killed"].kill()
print(f"killed with status {runs['killed'].wait()}; it left {left[0].name}")
assert runs["calm"].wait() == 0 != runs["killed"].returncode

# %%
files = {name: folder / name / "multimodal.safetensors" for name in commands}
assert not files["killed"].exists()
subprocess.run(commands["killed"], check=True, **quiet)  # the same command once more
calm, killed = (load_file(file) for file in files.values())
print(f"{sum(map(torch.numel, calm.values())):,} numbers, equal to the last bit")
assert all(torch.equal(calm[name], killed[name]) for name in calm.keys() | killed.keys())

# %% [markdown]
# Every bit is the same. (On the CPU, that is, and for the same number of threads. A GPU adds in an
# order of its own, unless `torch.use_deterministic_algorithms` forbids it.)
#
# ## 6. Do two processes reach the gradient of one?
#
# **Question.** Two GPUs, each with half of the batch: each needs the other's embeddings as candidates.
# The usual gather, `torch.distributed.all_gather`, brings them *without* their gradient. Does that
# matter?
#
# `compare_gathers` starts two processes on this very machine and compares with one process that has
# the whole batch.

# %%
gathers = pd.DataFrame(compare_gathers(2)).set_index("gather")
print(gathers.map("{:.4g}".format).to_string())
assert gathers.loc["with gradient", "encoder_error"] < 1e-12
assert abs(gathers.loc["with gradient", "temperature_ratio"] - 1) < 1e-12
assert abs(gathers.loc["without, loss of all rows", "encoder_ratio"] - 1 / 2) < 1e-12

# %% [markdown]
# With gradient: the same to the last digits, temperature included. Second row: the loss is right, the
# direction too, but the gradient of the encoder is half of what it should be. Each process knows only
# the part that flows through its own rows; these parts want to be *added*, and
# DistributedDataParallel takes their mean. Four processes would make it a quarter. The temperature's
# is right, so no learning rate repairs both. Adam hides the factor; weight decay and clipping do not.
# In the third and the fourth row the direction is wrong, too.
#
# `fit` and `ContrastiveLoss` gather with gradient. To use two GPUs, put `torchrun --nproc-per-node 2`
# in the place of `python`; nothing in the code changes.
#
# ## 7. What happened in there?
#
# **Question.** Is the run healthy, and what does it spend its time on? `fit(log_dir=...)` writes for
# TensorBoard, and the runs above did. What TensorBoard would show can be read back:

# %%
if importlib.util.find_spec("tensorboard"):  # comes with Colab, and with the extra "notebooks"
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    log = reader.EventAccumulator(str(folder / "killed" / "curves")).Reload()
    names = ("image-speech", "learning_rate", "gradient_norm")
    curves = pd.DataFrame({name: [e.value for e in log.Scalars(f"step/{name}")] for name in names})
    curves = curves.rename(columns={"image-speech": "image-speech, nats"})
    curves.plot(subplots=True, layout=(1, 3), figsize=(9, 2.6), xlabel="step")

# %% [markdown]
# These are the curves of the run that was killed; there is no seam at its checkpoint. For a look inside
# a step, `fit(profile=...)` writes a trace for chrome://tracing or Perfetto. It is JSON, so
# a table of it is a few lines:

# %%
model.fit(train, batch_size=512, steps=6, profile=folder / "trace.json", progress=False)
events = pd.DataFrame(json.loads((folder / "trace.json").read_text())["traceEvents"])
spent = events[events["cat"] == ("kernel" if GPU else "cpu_op")].groupby("name")["dur"]
spent = pd.DataFrame({"ms": spent.sum() / 1000, "calls": spent.count()})
print(spent.nlargest(8, "ms").round(1).to_string())
assert GPU or spent.loc["aten::convolution", "calls"] == 9  # three layers, three steps

# %% [markdown]
# ## 8. What could a T4 do?
#
# **Question.** Colab's free GPU is a T4. Its data sheet says 8.1 Tflop/s in `float32`, 65 in `float16`, 16 GB
# of memory, 320 GB/s. What does that allow?
#
# This is **arithmetic, not a measurement**: eight operations for each score and each of the $d = 128$
# columns, in `float32` at the data sheet's full speed, which nothing reaches; the memory that section 2
# measured, enlarged with $B^2$ for the dense loss and with $B$ for the tiled one.

# %%
largest, seen = table.index[-1], table["MB"].iloc[-1] / 1e3
B = np.array([1024, 8192, 32768, 131072, 1048576])
t4 = pd.DataFrame({"dense, GB": seen["dense"] * (B / largest) ** 2}, index=B)
t4["tiled, GB"], t4["seconds"] = seen["info_nce_loss"] * B / largest, 8 * B**2 * 128 / 8.1e12
print(t4.map("{:.3g}".format).to_string())
assert t4["dense, GB"][32768] > 16 > t4["tiled, GB"][1048576]

# %% [markdown]
# So on a T4 memory ends the dense loss before a batch of 32,768, and *time* ends the tiled one: a
# million pairs would fit, at two minutes a step or more. Encoders are another matter; their memory grows with the
# batch, too. `fit(chunk=256)` embeds 256 rows at a time, twice, and has the gradient of the whole
# batch all the same (Gao et al. 2021), but for layers that look at the batch, such as BatchNorm.
#
# ## What the article's version does
#
# The articles speak of GPUs, batches and speed, and measure none of them. Two habits of their code
# belong here. The loops print the value of the *last batch* as that of the epoch. We cut the thousand
# new pairs into batches of 32, and see what another last batch would have said.
#
# And one of them compares generated images, 256 numbers each, with targets of
# $3 \times 256 \times 256$. At nearly every batch size that is an error. At one it is worse: where the batch
# size equals the width, shapes are stretched until they fit. The same with 8 in the place of 256:

# %%
starts = range(0, len(scores) - 31, 32)
values = [bounds.info_nce(scores[i : i + 32, i : i + 32]).item() for i in starts]
print(f"mean of {len(values)} batches {np.mean(values):.2f} nats", end=", ")
print(f"of one batch {min(values):.2f} to {max(values):.2f}")
assert max(values) - min(values) > 0.2

outputs, pictures = torch.rand(8, 8), torch.rand(8, 3, 8, 8)
with warnings.catch_warnings(action="ignore"):  # which is all that torch gives at 8
    try:
        F.mse_loss(outputs[:5], pictures[:5])
    except RuntimeError as error:
        print(f"batch of 5: {error}")
    right, wrong = F.mse_loss(outputs, pictures), F.mse_loss(outputs, pictures.flip(0))
print(f"batch of 8: loss {right:.4f}, and with the images in another order {wrong:.4f}")
assert abs(right - wrong) < 1e-6

# %% [markdown]
# A loss that does not mind which image belongs to which output teaches nothing. A cure that costs a
# line: `assert outputs.shape == images.shape`.
#
# ## Recap
#
# - We measured the machine's two limits, and saw where a product of matrices meets each.
# - We made a contrastive loss whose memory grew with $B$, exact to 1e-12, in twelve lines; the package's
#   was faster than the dense one.
# - Half precision kept two or three digits of a score and lost small gradients; a loss in `float32` and
#   a factor for the gradient cured both.
# - The batch size limited what training could *show*, not what the network had learned.
# - A killed run ended with the same bits, and two processes with the gradient of one, provided that
#   the gather kept the gradient.
#
# ## Exercises
#
# Each check says what your function should do. [Solutions](solutions/10_gpu_training.py).
#
# 1. What makes tiles possible: two parts of a row of scores, each reduced to its top score and the sum
#    of $e^{s - \text{top}}$, become one.


# %% tags=["exercise"]
def merge(top_a, sum_a, top_b, sum_b): ...


exercises.check("merge sums", merge)

# %% [markdown]
# 2. The largest batch for which so many matrices of $B \times B$ `float32` numbers fit into a memory of so
#    many bytes.


# %% tags=["exercise"]
def largest_batch(memory, matrices): ...


exercises.check("largest batch", largest_batch)

# %% [markdown]
# 3. The roof: how many operations a second are attainable, given the intensity in operations for each
#    byte, the ceiling for products and that for copies?


# %% tags=["exercise"]
def attainable(intensity, products, copies): ...


exercises.check("attainable", attainable)

# %% [markdown]
# 4. The mean loss of an epoch over its *samples*, from the means and the sizes of its batches.


# %% tags=["exercise"]
def epoch_mean(losses, sizes): ...


exercises.check("epoch mean", epoch_mean)

# %% [markdown]
# ## References
#
# - van den Oord, Li, Vinyals (2018). Representation learning with contrastive predictive coding. https://arxiv.org/abs/1807.03748
# - Radford et al. (2021). Learning transferable visual models from natural language supervision. https://arxiv.org/abs/2103.00020
# - Williams, Waterman, Patterson (2009). Roofline: an insightful visual performance model. https://doi.org/10.1145/1498765.1498785
# - Chen, Xu, Zhang, Guestrin (2016). Training deep nets with sublinear memory cost. https://arxiv.org/abs/1604.06174
# - Gao, Zhang, Han, Callan (2021). Scaling deep contrastive learning batch size under memory limited setup. https://arxiv.org/abs/2101.06983
# - Cheng et al. (2024). Breaking the memory barrier: near infinite batch size scaling for contrastive loss. https://arxiv.org/abs/2410.17243
# - Micikevicius et al. (2018). Mixed precision training. https://arxiv.org/abs/1710.03740
# - NVIDIA (2019). T4 tensor core GPU, data sheet: the source of 8.1 and 65 Tflop/s, 16 GB, 320 GB/s.
#
# Previous: [09 · From any modality to any other](09_cross_modal_generation.ipynb) · Next: [11 · Evaluation: numbers that a skeptic believes](11_evaluation.ipynb)
