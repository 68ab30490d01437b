# %% [markdown]
# # 09 · Generative models
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/09_generative_models.ipynb)
#
# *A variational autoencoder, a generative adversarial network and a rectified flow, each written out on one page, trained on digits, and compared with a case whose answer is known exactly.*
#
# **What you will learn**
#
# - what a **variational autoencoder** (VAE) maximizes, and what its bound misses;
# - what the **discriminator** of a generative adversarial network (GAN) learns, and how its game is played;
# - how a **rectified flow** turns noise into data by a regression;
# - how **classifier-free guidance** trades variety for agreement with a condition;
# - how to compare generators with the **Fréchet distance**, and what its unit is.
#
# **Prerequisites**: [03](03_variational_bounds.ipynb); densities of Gaussian variables, KL divergence, and a training loop in PyTorch.
#
# **In the package**: `generation`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 42 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.integrate import trapezoid
from scipy.linalg import sqrtm
from scipy.stats import multivariate_normal, norm
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot, softplus

from simmim_lite import datasets, evaluation, exercises, figures, generation
from simmim_lite.encoders import ImageEncoder
from simmim_lite.training import load_trained

figures.set_style()
torch.set_num_threads(1)  # the networks are small
FULL = os.environ.get("SIMMIM_FULL") == "1"  # all of MNIST, and six times the steps
MORE = 6 if FULL else 1
FAST = False  # True: load stored weights; the long trainings stop after one step

# %% [markdown]
# ## 1. What does a variational autoencoder maximize?
#
# **Question.** A *variational autoencoder* (Kingma and Welling 2014) makes an image in two steps: draw a
# *latent* $z \sim N(0, I)$, then draw the image $x \sim p(x \mid z)$. Training should maximize
# $\ln p(x)$ of real images. But $p(x) = \int p(z)\, p(x \mid z)\, dz$ is an integral over all latents,
# which has no closed form if $p(x \mid z)$ is a network. What is maximized instead?
#
# **Formula.** Take any density $q(z \mid x) > 0$. Since $p(x) = p(x, z) / p(z \mid x)$ for every $z$,
#
# $$\ln p(x) = \mathbb{E}_q \ln \frac{p(x, z)}{p(z \mid x)} = \mathbb{E}_q \ln \frac{p(x, z)}{q(z \mid x)} + \mathbb{E}_q \ln \frac{q(z \mid x)}{p(z \mid x)}$$
#
# The last term is a KL divergence, which is never negative. So the other term is a lower bound, the
# *evidence lower bound* (ELBO). With $p(x, z) = p(z)\, p(x \mid z)$ it has two parts:
#
# $$\text{ELBO}(x) = \mathbb{E}_q \ln p(x \mid z) - \text{KL}(q(z \mid x) \,\|\, p(z))$$
#
# $$\ln p(x) = \text{ELBO}(x) + \text{KL}(q(z \mid x) \,\|\, p(z \mid x))$$
#
# The bound is *tight*, equal to $\ln p(x)$, if $q$ is the *posterior* $p(z \mid x)$.
#
# **Check.** For one latent and $x = a z + \text{noise}$, with Gaussian noise of standard deviation
# $\sigma$ in each of three coordinates, everything is known. $x$ is Gaussian with covariance
# $a a^\top + \sigma^2 I$. The posterior is Gaussian with the precision (1 / variance)
# $1 + a^\top a / \sigma^2$ and the mean $a^\top x / \sigma^2$ divided by the precision. For two
# Gaussians of one variable,
#
# $$\text{KL}(N(\mu, s^2) \,\|\, N(\mu_0, s_0^2)) = \frac{1}{2} \left( \frac{s^2 + (\mu - \mu_0)^2}{s_0^2} - 1 - \ln \frac{s^2}{s_0^2} \right)$$
#
# ### Exercise 1 · ★ · 2 minutes · predict
#
# We use a $q$ with the mean of the posterior, but *twice* its standard deviation. By how much is the
# ELBO too small? (a) By 0, because the mean is exact. (b) By 0.81 nats for every $x$.
# (c) It depends on $x$.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("posterior twice as wide", my_prediction_1)

# %%
rng = np.random.default_rng(0)
a, sigma = np.array([1.5, 0.8, -0.5]), 0.5
observed = rng.standard_normal((50_000, 1)) * a + sigma * rng.standard_normal((50_000, 3))
exact = multivariate_normal(cov=np.outer(a, a) + sigma**2 * np.eye(3)).logpdf(observed).mean()
precision = 1 + a @ a / sigma**2
posterior_mean = observed @ a / sigma**2 / precision
print(f"ln p(x), exact: {exact:.3f} nats, mean of {len(observed):,} samples")

for name, shift, factor in [("the posterior", 0, 1), ("shifted by 0.2", 0.2, 1), ("wide", 0, 2)]:
    q_mean, q_variance = posterior_mean + shift, factor**2 / precision
    z = q_mean + np.sqrt(q_variance) * rng.standard_normal(len(observed))
    log_likelihood = norm(z[:, None] * a, sigma).logpdf(observed).sum(axis=1)
    to_prior = 0.5 * (q_variance + q_mean**2 - 1 - np.log(q_variance))
    to_posterior = 0.5 * (precision * (q_variance + shift**2) - 1 - np.log(precision * q_variance))
    elbo = (log_likelihood - to_prior).mean()
    print(f"q {name}: ELBO {elbo:.3f}, gap {exact - elbo:.3f}, KL to posterior {to_posterior:.3f}")
    assert abs(exact - elbo - to_posterior) < 0.03

# %% [markdown]
# ## 2. How is a VAE trained?
#
# **Idea.** Two networks: the *encoder* gives the mean $\mu(x)$ and the standard deviation $s(x)$ of a
# Gaussian $q(z \mid x)$ with independent coordinates, and the *decoder* gives $p(x \mid z)$. The gradient
# must pass through the draw of $z$. The *reparameterization* allows this: draw $\varepsilon \sim N(0, I)$,
# which has no parameters, and put
#
# $$z = \mu(x) + s(x)\, \varepsilon$$
#
# The KL divergence to the prior is the formula above with $\mu_0 = 0$ and $s_0 = 1$, summed over the
# coordinates. Our pixels are black or white (rounded), so the decoder gives a probability $\pi_i(z)$ of ink
# for each pixel, and
#
# $$\ln p(x \mid z) = \sum_i \left( x_i \ln \pi_i(z) + (1 - x_i) \ln (1 - \pi_i(z)) \right)$$


# %%
class Encoder(nn.Module):
    def __init__(self, latent_dim):
        super().__init__()
        layers = nn.Linear(784, 256), nn.SiLU(), nn.Linear(256, 2 * latent_dim)
        self.layers = nn.Sequential(*layers)

    def forward(self, x, condition=None):  # the package passes a condition, here none
        return self.layers(x)


def elbo_parts(encoder, decoder, x):
    mean, log_variance = encoder(x).chunk(2, dim=1)
    z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    log_likelihood = -binary_cross_entropy_with_logits(decoder(z), x, reduction="none").sum(dim=1)
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return log_likelihood, divergence


# %% [markdown]
# The training loop maximizes the mean ELBO of a batch. We train on 250, 1,000 and all training images.


# %%
def train_vae(x, steps, latent_dim=16):
    torch.manual_seed(0)
    encoder = Encoder(latent_dim)
    decoder = nn.Sequential(nn.Linear(latent_dim, 256), nn.SiLU(), nn.Linear(256, 784))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        batch = x[torch.randint(len(x), (128,))]
        log_likelihood, divergence = elbo_parts(encoder, decoder, batch)
        optimizer.zero_grad()
        (divergence - log_likelihood).mean().backward()
        optimizer.step()
        schedule.step()
    return encoder, decoder


train, test = (datasets.load_digits(split, full=FULL) for split in ("train", "test"))
x_train, x_test = ((torch.from_numpy(d.images).flatten(1) > 127).float() for d in (train, test))
sizes = 250, 1000, len(x_train)
vaes = {n: train_vae(x_train[:n], 1 if FAST else MORE * 800) for n in sizes}
if FAST:
    load_trained("09_vaes", vaes)

# %% [markdown]
# The package has the same loss in `ConditionalVAE`. With our networks, the same batch and the same random
# numbers, it gives the same two parts.
#
# **Unit.** A code made for the model needs $-\ln p(x)$ nats for an image (notebook 01). An upper
# bound of the mean length of this code, in *bits* per pixel, is
#
# $$\text{bits per pixel} = \frac{-\text{ELBO}(x)}{784 \ln 2}$$

# %%
encoder, decoder = vaes[len(x_train)]
packaged_vae = generation.ConditionalVAE(encoder, decoder, latent_dim=16)
torch.manual_seed(1)
parts = elbo_parts(encoder, decoder, x_test)
torch.manual_seed(1)
packaged_parts = packaged_vae({"x": x_test})
assert torch.allclose(packaged_parts["reconstruction"], parts[0], atol=1e-3)
assert torch.allclose(packaged_parts["divergence"], parts[1], atol=1e-3)


def bits_per_pixel(vae, x):
    with torch.no_grad():
        log_likelihood, divergence = elbo_parts(*vae, x)
    return -(log_likelihood - divergence).mean().item() / (784 * np.log(2))


nats = (parts[0] - parts[1]).detach()
packaged_bits = generation.bits_per_dimension(nats, 784).mean().item()
torch.manual_seed(1)
assert abs(bits_per_pixel((encoder, decoder), x_test) - packaged_bits) < 1e-5
published = 86.76 / (784 * np.log(2))  # see below

# %% [markdown]
# We compare with two numbers: the cost of *independent* pixels ($\pi_i$ is the fraction of training images
# with ink at pixel $i$), and 86.76 nats, or 0.160 bits per pixel, of a VAE by Burda, Grosse and
# Salakhutdinov (2016, Table 1). But their networks are deeper, and train on many more images for much
# longer. They draw each pixel at random from its gray value; we round. And their bound on $\ln p(x)$ is
# tighter than the ELBO (see the appendix).

# %%
ink = x_train.mean(dim=0).clamp(1e-4, 1 - 1e-4)
independent = -(x_test * ink.log2() + (1 - x_test) * (1 - ink).log2()).mean().item()
sizes = list(vaes)
bits_train = [bits_per_pixel(vaes[n], x_train[:n]) for n in sizes]
bits_test = [bits_per_pixel(vaes[n], x_test) for n in sizes]
plt.semilogx(sizes, bits_train, "o-", sizes, bits_test, "s-")
plt.axhline(published, **figures.TRUTH)
plt.axhline(independent, color="0.5", linestyle=":")
plt.text(1000, published + 0.01, "published VAE, 0.160", ha="center")
plt.text(4000, independent + 0.01, "independent pixels", ha="right")
plt.text(250, bits_train[0] - 0.06, "training images", color="C0")
plt.text(275, bits_test[0], "test images", color="C1")
plt.gca().set(xlabel="training images", ylabel="bits per pixel", ylim=(0, 0.7))
plt.xticks(sizes, sizes)
plt.minorticks_off()
figures.show(
    "Figure 1. With few images the VAE overfits: test images cost more bits than training images.",
    alt="For 250, 1,000 and 4,000 training images, training bits rise from 0.08 to 0.18, and test "
    "bits fall from 0.60 to 0.20. Dashed, 0.16: published. Dotted, 0.39: independent pixels.",
)

# %%
for size, value_in_bits in zip(sizes, bits_test, strict=True):
    print(f"{size:4} training images: {value_in_bits:.3f} bits per pixel of test images")
print(f"independent pixels {independent:.3f}, published {published:.3f}")
exercises.verify("250 images are too few to beat independent pixels", bits_test[0] > 0.4)
exercises.verify("all images beat them", bits_test[2] < 0.6 * independent)

torch.manual_seed(2)
with torch.no_grad():
    test_means = encoder(x_test[::100]).chunk(2, dim=1)[0]
    reconstructed, sampled = decoder(test_means).sigmoid(), decoder(torch.randn(10, 16)).sigmoid()
image_rows = torch.cat([x_test[::100], reconstructed, sampled])
axes = figures.pictures(image_rows.unflatten(1, (28, 28)))
for row, label in enumerate(["test", "reconstructed", "sampled"]):
    axes[10 * row].text(-4, 14, label, ha="right", va="center", fontsize=10)
figures.show(
    "Figure 2. Reconstructions are recognizable. Not all samples from the prior are digits.",
    alt="Three rows of ten images. Binary test digits 0 to 9; their blurred reconstructions; "
    "decoded draws from the standard normal prior: blurred strokes, some of them digits.",
)

# %% [markdown]
# ## 3. What does a discriminator learn?
#
# **Question.** A *generative adversarial network* (Goodfellow et al. 2014) needs no likelihood. The
# *generator* turns noise into items. Their density $p_G$ need not be known. The *discriminator* is a
# classifier: $D(x)$ estimates the probability that $x$ is real, if half of the items are. What is the
# best $D$?
#
# **Formula.** Let $p$ be the density of real items. The discriminator maximizes the *value of the game*,
# and the generator minimizes it:
#
# $$V(D, G) = \mathbb{E}_{x \sim p} \ln D(x) + \mathbb{E}_{x \sim p_G} \ln (1 - D(x))$$
#
# At each $x$ the discriminator maximizes $p \ln D + p_G \ln (1 - D)$. The derivative
# $p / D - p_G / (1 - D)$ is 0 for
#
# $$D^*(x) = \frac{p(x)}{p(x) + p_G(x)}$$
#
# Put $D^*$ into $V$, with the mixture $m = (p + p_G) / 2$. Since $D^* = p / 2m$, the first term is
# $\text{KL}(p \,\|\, m) - \ln 2$, and the second one has $p_G$ for $p$. The mean of the two KL divergences is
# the *Jensen-Shannon divergence* (JS):
#
# $$V(D^*, G) = \text{KL}(p \,\|\, m) + \text{KL}(p_G \,\|\, m) - 2 \ln 2 = 2\, \text{JS}(p, p_G) - \ln 4$$
#
# It is smallest, $-\ln 4$, for $p_G = p$. So a generator that minimizes this value moves towards the data.
#
# **Check.** Write $D$ as the logistic function of a *score* $f(x)$. Then the best score is
# $\ln p(x) - \ln p_G(x)$. For $p = N(0, 1)$ and $p_G = N(1.5, 1)$ it is a straight line with slope
# $-1.5$, and logistic regression finds it.

# %%
distance = 1.5
real_numbers, made_numbers = rng.standard_normal(40_000), distance + rng.standard_normal(40_000)
inputs, is_real = np.concatenate([real_numbers, made_numbers])[:, None], np.repeat([1, 0], 40_000)
logistic = LogisticRegression(C=np.inf).fit(inputs, is_real)
log_fake, log_real = logistic.predict_log_proba(inputs).T
value = log_real[is_real == 1].mean() + log_fake[is_real == 0].mean()

grid = np.linspace(-8, 10, 20_001)
p, p_g = norm.pdf(grid), norm.pdf(grid, distance)
truth = trapezoid(p * np.log(p / (p + p_g)) + p_g * np.log(p_g / (p + p_g)), grid)
print(f"slope of the score {logistic.coef_[0, 0]:.3f}, exact {-distance}")
print(f"value of the game {value:.3f}, 2 JS - ln 4 = {truth:.3f}; for p = p_G: {-np.log(4):.3f}")
assert abs(logistic.coef_[0, 0] + distance) < 0.05
assert abs(value - truth) < 0.02

# %% [markdown]
# ## 4. How do two networks play?
#
# **Idea.** The GAN learns 16 numbers per image, not 784 pixels: the latents of the VAE, scaled to mean 0
# and variance 1 in each coordinate. The decoder of the VAE turns them into images (as in Rombach et al.
# 2022). Generator and discriminator also get a *condition* $c$, the digit, as nine zeros and a one. (So
# this part uses labels.)


# %%
with torch.no_grad():
    mean, log_variance = encoder(x_train).chunk(2, dim=1)
deviation = (log_variance / 2).exp()
center = mean.mean(dim=0)
scale = (mean.var(dim=0) + (deviation**2).mean(dim=0)).sqrt()
digits = one_hot(torch.from_numpy(train.labels), 10).float()


def draw_batch(size):
    rows = torch.randint(len(mean), (size,))
    latents = mean[rows] + deviation[rows] * torch.randn(size, 16)
    return (latents - center) / scale, digits[rows]


@torch.no_grad()
def decode(latents):
    logits = decoder(latents * scale + center)
    return (logits > 0).float().unflatten(1, (1, 28, 28))  # the more probable color


def mlp(inputs, outputs):
    hidden = nn.Linear(inputs, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU()
    return nn.Sequential(*hidden, nn.Linear(128, outputs))


# %% [markdown]
# **Formula.** With the score $f$, $-\ln D = \text{softplus}(-f)$ and $-\ln (1 - D) = \text{softplus}(f)$,
# where $\text{softplus}(f) = \ln (1 + e^f)$. The discriminator minimizes $-V$ plus a penalty:
#
# $$L_D = \mathbb{E}_p\, \text{softplus}(-f(x)) + \mathbb{E}_{p_G} \text{softplus}(f(x)) + \frac{\lambda}{2}\, \mathbb{E}_p\, | \nabla_x f(x) |^2$$
#
# The *gradient penalty* (Mescheder, Geiger and Nowozin 2018; here $\lambda = 1$) keeps the slope of the
# score small at real items. The generator minimizes
#
# $$L_G = \mathbb{E}_{p_G} \text{softplus}(-f(x)) = -\mathbb{E}_{p_G} \ln D(x)$$
#
# This is the *non-saturating* loss of Goodfellow et al. It replaces $\mathbb{E}_{p_G} \ln (1 - D)$,
# whose gradient vanishes while the generator is bad (Exercise 7).


# %%
def gan_losses(generator, discriminator, x, c):
    noise = torch.randn(len(x), 32)
    made = generator(torch.cat([noise, c], dim=1))
    x = x.clone().requires_grad_()
    real_scores = discriminator(torch.cat([x, c], dim=1))
    made_scores = discriminator(torch.cat([made, c], dim=1))
    (slope,) = torch.autograd.grad(real_scores.sum(), x, create_graph=True)
    penalty = 0.5 * (slope**2).sum(dim=1).mean()
    loss_d = softplus(-real_scores).mean() + softplus(made_scores).mean() + penalty
    loss_g = softplus(-made_scores).mean()
    return loss_g, loss_d, real_scores.mean().item(), made_scores.mean().item()


# %% [markdown]
# Each network changes its own weights only, to lower its own loss: `inputs=` names these weights. Adam runs
# without momentum (`betas=(0.0, 0.99)`), because the other network has changed since the last gradient. We
# train with three seeds. In a fourth run the generator is frozen (learning rate 0), so only the
# discriminator learns.


# %%
def train_gan(seed, steps, rate=5e-4):
    torch.manual_seed(seed)
    generator, discriminator = mlp(32 + 10, 16), mlp(16 + 10, 1)
    g_optimizer = torch.optim.Adam(generator.parameters(), rate, betas=(0.0, 0.99))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), 5e-4, betas=(0.0, 0.99))
    history = []
    for _ in range(steps):
        loss_g, loss_d, *scores = gan_losses(generator, discriminator, *draw_batch(128))
        g_optimizer.zero_grad()
        d_optimizer.zero_grad()
        loss_g.backward(inputs=list(generator.parameters()), retain_graph=True)
        loss_d.backward(inputs=list(discriminator.parameters()))
        g_optimizer.step()
        d_optimizer.step()
        history.append(scores)
    return generator, np.array(history)


gans = [train_gan(seed, MORE * 900) for seed in range(3)]
frozen = train_gan(0, 400, rate=0.0)[1]

# %%
end = gans[0][1][-50:].mean(axis=0)
end_frozen = frozen[-50:].mean(axis=0)
print("mean scores (real, generated), last 50 steps:", end.round(3))
print("with a frozen generator:", end_frozen.round(3))
exercises.verify("both learn: the scores stay near 0", abs(end).max() < 0.2)
exercises.verify("against a frozen generator they do not", end_frozen[0] > 1 > -1 > end_frozen[1])

titles = ("both networks learn", "the generator is frozen")
_, axes = plt.subplots(1, 2, figsize=(8.5, 2.8), sharey=True)
for ax, history, title in zip(axes, (gans[0][1], frozen), titles, strict=True):
    ax.plot(pd.DataFrame(history).rolling(20, min_periods=1).mean(), label=["real", "generated"])
    ax.axhline(0, label="0: cannot distinguish", **figures.TRUTH)
    ax.set(xlabel="step", ylabel="mean score, nats", title=title, ylim=(-5.5, 5.5))
axes[0].legend(loc="lower right")
figures.show(
    "Figure 3. While both networks learn, the scores stay near 0. Otherwise they move apart.",
    alt="Mean scores of real and generated latents against the step. Left, both networks learn: "
    "the curves stay close to the dashed 0. Right, frozen generator: they move to about 4 and -4.",
)

# %% [markdown]
# For $p_G = p$ the best score is 0 everywhere. But a mean score near 0 does not prove that $p_G = p$: a weak
# discriminator has such a score too. So a GAN is evaluated by its samples (section 7).
#
# The package's `ConditionalGAN(..., objective="r1")` has these losses (asserted in the appendix). Its
# default, `"hinge"`, has other losses:
# $L_D = \mathbb{E}_p \max(0, 1 - f) + \mathbb{E}_{p_G} \max(0, 1 + f)$ and $L_G = -\mathbb{E}_{p_G} f$.
# Here *spectral norm* (Miyato et al. 2018) limits the slope: each weight matrix is divided by its largest
# singular value, so no linear layer can stretch a difference of its inputs.
#
# ## 5. How does a flow turn noise into data?
#
# **Idea.** A *flow* moves each noise vector along a path to a data item. The path solves a differential
# equation, $dx/dt = v(x, t)$, from $t = 0$ (noise) to $t = 1$ (data). A *rectified flow* (Liu, Gong and Liu
# 2022) learns the *velocity* $v$ by a regression, without a second network. Draw noise $x_0 \sim N(0, I)$
# and a data item $x_1$ independently, and a time $t$ between 0 and 1. Connect them by a straight line:
#
# $$x_t = (1 - t)\, x_0 + t\, x_1, \qquad \frac{d x_t}{dt} = x_1 - x_0$$
#
# $$\text{loss} = \mathbb{E}\, | v(x_t, t) - (x_1 - x_0) |^2$$
#
# Many lines cross at one point. The best prediction in squared error is the conditional mean,
# $v^*(x, t) = \mathbb{E}[x_1 - x_0 \mid x_t = x]$. Does following it lead to the data? For every smooth
# function $g$,
#
# $$\frac{d}{dt} \mathbb{E}\, g(x_t) = \mathbb{E}\, \nabla g(x_t) \cdot (x_1 - x_0) = \mathbb{E}\, \nabla g(x_t) \cdot v^*(x_t, t)$$
#
# The solution of $dx/dt = v^*(x, t)$ obeys the same equation and starts with the same noise. So at each
# time it has the same distribution as $x_t$, and at $t = 1$ that of the data (Liu et al., Theorem 3.3).
#
# **Check.** A toy with known $v^*$: one number, from two equally likely Gaussians with means $\mu_1 = -2$,
# $\mu_2 = 2$ and standard deviation $s = 0.5$. Given component $k$, $x_1 - x_0$ and $x_t$ are jointly
# Gaussian, with covariance $t s^2 - (1 - t)$, and $x_t$ has the variance $s_t^2 = (1 - t)^2 + t^2 s^2$.
# With $P(k \mid x)$ from Bayes' rule,
#
# $$v^*(x, t) = \sum_k P(k \mid x) \left( \mu_k + \frac{t s^2 - (1 - t)}{s_t^2}\, (x - t \mu_k) \right)$$
#
# The network also receives a condition $c$, for section 6. In this section `c` has 0 columns.


# %%
def flow_loss(network, x1, c):
    x0, t = torch.randn_like(x1), torch.rand(len(x1), 1)
    known = torch.rand(len(x1), 1) > 0.1  # drops the condition of one row in ten, see section 6
    v = network(torch.cat([(1 - t) * x0 + t * x1, t, c * known], dim=1))
    return ((v - (x1 - x0)) ** 2).mean()


def train_flow(network, draw, steps):
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        loss = flow_loss(network, *draw(256))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def draw_toy(size):
    signs = torch.randint(2, (size, 1)) * 2.0 - 1
    return 2 * signs + 0.5 * torch.randn(size, 1), torch.zeros(size, 0)


# %% [markdown]
# *Euler's method* solves the differential equation in $n$ small steps:
# $x \leftarrow x + v(x, t) / n$ for $t = 0, 1/n, 2/n, \dots$
#
# ### Exercise 2 · ★★ · 2 minutes · predict
#
# The training lines are straight. Suppose that we take a single Euler step with the exact $v^*$. Then the
# samples are (a) correct, (b) all at the mean of the data, 0, (c) noise as before.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("one Euler step", my_prediction_2)


# %%
def exact_velocity(x, t):  # x (N, 1), a number t
    means, variance = torch.tensor([-2.0, 2.0]), (1 - t) ** 2 + 0.25 * t**2
    component = (-((x - t * means) ** 2) / (2 * variance)).softmax(dim=1)  # P(k | x)
    velocities = means + (0.25 * t - (1 - t)) / variance * (x - t * means)
    return (component * velocities).sum(dim=1, keepdim=True)


def euler(velocity, x, steps):
    path = [x]
    for step in range(steps):
        path.append(path[-1] + velocity(path[-1], step / steps) / steps)
    return torch.stack(path)


torch.manual_seed(4)
toy = mlp(1 + 1, 1)
train_flow(toy, draw_toy, steps=1000)
toy_noise = torch.randn(4000, 1)
paths = {"exact": euler(exact_velocity, toy_noise, 100)}
with torch.no_grad():
    paths["network"] = euler(lambda x, t: toy(torch.cat([x, 0 * x + t], dim=1)), toy_noise, 100)

# %%
single = euler(exact_velocity, toy_noise, 1)[-1]
data = draw_toy(4000)[0]
exact_end, network_end = paths["exact"][-1], paths["network"][-1]
error = (network_end - exact_end).abs().median().item()
print(f"standard deviation of the data {data.std():.3f}, of the exact flow {exact_end.std():.3f},")
print(f"  of the network {network_end.std():.3f}; median distance of its end points {error:.3f}")
exercises.verify("the exact flow reaches the data", abs(exact_end.std() - data.std()) < 0.1)
exercises.verify("one step reaches the mean only", single.abs().max() < 1e-5)
exercises.verify("the network is close to the exact flow", error < 0.15)

_, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.8), sharey=True)
left.plot([0, 1], torch.cat([toy_noise, data], dim=1)[:40].T, color="C0", alpha=0.4)
right.plot(np.linspace(0, 1, 101), paths["network"][:, :40, 0], color="C1", alpha=0.7)
right.plot(np.linspace(0, 1, 101), paths["exact"][:, :40, 0], **figures.TRUTH | {"alpha": 0.5})
left.set(xlabel="time t", ylabel="x", title="lines of the training")
right.set(xlabel="time t", title="paths (dashed: exact)")
figures.show(
    "Figure 4. The training lines cross. The paths of the flow do not: each bends to one of two peaks.",
    alt="Left: 40 straight lines from noise to data near -2 or 2; many cross. Right: 40 paths bend "
    "to -2 or 2 without crossing. Paths of the network are close to the dashed exact ones.",
)

# %% [markdown]
# ## 6. How does a condition guide a flow?
#
# **Question.** How does a flow draw a *given* digit?
#
# **Idea.** The network gets the condition $c$ as a further input. In training, `flow_loss` drops $c$ (puts
# zeros) in one row of ten, so the same network also learns the velocity $u(x, t)$ without a condition.
# *Classifier-free guidance* (Ho and Salimans 2022) goes further in the direction in which the condition
# changes the velocity:
#
# $$v_w(x, t, c) = u(x, t) + w \left( v(x, t, c) - u(x, t) \right)$$
#
# $w = 0$ ignores the condition, and $w = 1$ is the flow as it was trained. For $w > 1$ samples agree better
# with the condition and vary less. They no longer follow $p(x \mid c)$. (Ho and Salimans count from 0:
# their weight is our $w - 1$.) The package's `RectifiedFlow` has this loss, with other times $t$, and this
# sampler (see the appendix).


# %%
def sample_flow(velocity, c, x, guidance=1.0, steps=20):
    for step in range(steps):
        t = torch.full((len(x), 1), step / steps)
        v, u = velocity(x, t, c), velocity(x, t, torch.zeros_like(c))
        x = x + (u + guidance * (v - u)) / steps
    return x


def velocity_by_hand(x, t, c):
    return flow(torch.cat([x, t, c], dim=1))


torch.manual_seed(5)
flow = mlp(16 + 1 + 10, 16)
train_flow(flow, draw_batch, steps=MORE * 1200)

# %% [markdown]
# ## 7. Which generator is best?
#
# **Question.** A GAN has no likelihood. How can we compare samples?
#
# **Formulas.** An *evaluation classifier*, a network of its own that had no part in any generator, sees 100
# images of each digit. *Digit accuracy* is the fraction in which it sees the digit that was asked for. The
# *Fréchet distance* compares the features $h$ of its last layer but one. For samples with means $\mu, \mu'$
# and covariances $C, C'$ of the features it is the squared distance of the Gaussians with these moments
# (Dowson and Landau 1982):
#
# $$F = | \mu - \mu' |^2 + \text{tr}\left( C + C' - 2\, (C C')^{1/2} \right)$$
#
# Its scale depends on the classifier, and it is above 0 even for two samples of real images. So we print it
# in *units of real training images*: divided by the distance of equally many real training images, of the
# same digits, from the same test images. A generator as good as real images gets about 1. *Variety* is the
# mean distance of the features of two samples of one digit, divided by the same for test images.


# %%
def frechet(first, second):
    shift = first.mean(axis=0) - second.mean(axis=0)
    first, second = np.cov(first.T), np.cov(second.T)
    return shift @ shift + np.trace(first + second - 2 * sqrtm(first @ second).real)


classifier = evaluation.EvaluationClassifier(ImageEncoder(seed=1001))
classifier.fit(train.images, train.labels, steps=MORE * 120, progress=False)
asked = np.arange(10).repeat(100)  # 100 of each digit


def choose(data):  # 100 rows of each digit
    return np.concatenate([np.flatnonzero(data.labels == digit)[:100] for digit in range(10)])


training_images = x_train[choose(train)].unflatten(1, (1, 28, 28))
test_images = x_test[choose(test)].unflatten(1, (1, 28, 28))
h_training, h_test = (classifier.features(x).numpy() for x in (training_images, test_images))
unit = frechet(h_training, h_test)
assert np.isclose(unit, evaluation.frechet_distance(h_training, h_test), rtol=1e-3)

# %%
c = one_hot(torch.from_numpy(asked), 10).float()
noise = torch.randn(1000, 32, generator=torch.Generator().manual_seed(7))
latents = {"VAE": (noise[:, :16] - center) / scale}
with torch.no_grad():
    training_means = encoder(x_train[choose(train)]).chunk(2, dim=1)[0]
    latents["autoencoded"] = (training_means - center) / scale
    for seed in range(3):
        latents[f"GAN {seed}"] = gans[seed][0](torch.cat([noise, c], dim=1))
    for w in (0, 1, 2, 4):
        latents[f"flow, w = {w}"] = sample_flow(velocity_by_hand, c, noise[:, :16], guidance=w)
samples = {"training": training_images} | {n: decode(z) for n, z in latents.items()}

scores = {}
for name, images in samples.items():
    h = classifier.features(images).numpy()
    variety = evaluation.spread_within_classes(h, asked)
    variety /= evaluation.spread_within_classes(h_test, asked)
    scores[name] = (classifier.coherence(images, asked), frechet(h, h_test) / unit, variety)
table = pd.DataFrame(scores, index=["digit accuracy", "Fréchet", "variety"]).T
print(table.round(2).to_string())

# %% [markdown]
# Chance is 10 %: the VAE and the flow with $w = 0$ get no condition. "Autoencoded" images are training
# images after encoder and decoder: a generator of latents can hardly get a smaller Fréchet distance.
#
# The three GANs differ by their seeds only, and the distance of the flow with $w = 1$ lies between theirs.
# So one run of each would not show which is better. Guidance with $w = 2$ has a higher accuracy *and*
# a smaller Fréchet distance, at the cost of variety. With $w = 4$ the distance grows again. (With all of
# MNIST, $w = 1$ is best.)

# %%
flows = table[table.index.str.startswith("flow")].iloc[1:]  # w = 1, 2, 4
exercises.verify("guidance raises accuracy", flows["digit accuracy"].is_monotonic_increasing)
exercises.verify("guidance lowers variety", flows["variety"].is_monotonic_decreasing)
nearest = flows["Fréchet"].idxmin()
exercises.verify("w = 2 has the smallest distance", FULL or nearest == "flow, w = 2")

shown = ["training", "autoencoded", "VAE", "GAN 0", "flow, w = 1", "flow, w = 2"]
columns = np.arange(5, 1000, 100)  # one of each digit
axes = figures.pictures(torch.cat([samples[name][columns, 0] for name in shown]))
for row, name in enumerate(shown):
    axes[10 * row].text(-4, 14, name, ha="right", va="center", fontsize=10)
figures.show(
    "Figure 5. The GAN and the flow were asked for the digits 0 to 9, the VAE was not.",
    alt="Six rows of ten images, black or white. Training images; the same, autoencoded; "
    "samples of the VAE, partly no digits; of the GAN and of the flow with w = 1, mostly "
    "the digits 0 to 9; of the flow with w = 2, all clearly the digits 0 to 9.",
)

# %% [markdown]
# ## What the article gets wrong
#
# The second article names GANs and autoencoders, and prints one loss for both networks to minimize:
# $\mathbb{E}\, f(G(z)) - \mathbb{E}\, f(x)$. This is the loss of a *critic* $f$ in a *Wasserstein GAN*
# (Arjovsky, Chintala and Bottou 2017). The critic's slopes must be bounded. Then minus its smallest loss is
# the *Wasserstein distance* of the two distributions:
#
# $$W(p, p_G) = \max_{|\nabla f| \le 1} \left( \mathbb{E}_p f(x) - \mathbb{E}_{p_G} f(x) \right)$$
#
# Training the critic makes this difference large. Training the generator should make it *small*, so the
# generator must minimize $-\mathbb{E}\, f(G(z))$. With the printed sign, both networks lower the scores of
# generated items, and nothing leads the generator to the data. We try both signs in one dimension. The data
# are $N(3, 1)$, the generator adds one number to standard Gaussian noise, and the critic is a line with a
# slope between -1 and 1.


# %%
def play(sign):
    torch.manual_seed(0)
    shift, critic = torch.zeros(1, requires_grad=True), nn.Linear(1, 1)
    g_optimizer = torch.optim.RMSprop([shift], lr=0.02)
    c_optimizer = torch.optim.RMSprop(critic.parameters(), lr=0.02)
    for _ in range(600):
        for optimizer, factor in ((g_optimizer, sign), (c_optimizer, 1)):
            made, real = shift + torch.randn(64, 1), 3 + torch.randn(64, 1)
            loss = factor * (critic(made).mean() - critic(real).mean())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        critic.weight.data.clamp_(-1, 1)
    return shift.item()


printed, corrected = play(1), play(-1)
print(f"mean of the generator: {printed:.2f} as printed, {corrected:.2f} corrected; data at 3")
exercises.verify("with the printed sign the generator runs away", printed < -5)
exercises.verify("with the other sign it comes to the data", abs(corrected - 3) < 1.5)

# %% [markdown]
# The corrected game does not end exactly at 3: in such games the two players can circle around the
# solution. The article's code has neither a game nor a bound: it trains a linear layer with a mean squared
# error.

# %% [markdown]
# ## Appendix: the package's classes
#
# `ConditionalGAN` has the two losses of section 4. We compute them with its networks.

# %%
packaged_gan = generation.ConditionalGAN(16, 10, objective="r1")
x_real, c = draw_batch(128)


def packaged_score(inputs):
    return packaged_gan.discriminator(inputs[:, :16], inputs[:, 16:])


torch.manual_seed(3)
packaged_losses = packaged_gan({"x": x_real, "condition": c})
torch.manual_seed(3)
loss_g, loss_d, *_ = gan_losses(packaged_gan.generator, packaged_score, x_real, c)
assert torch.isclose(packaged_losses["generator"], loss_g)
assert torch.isclose(packaged_losses["discriminator"], loss_d)
print(f"generator {loss_g:.4f}, discriminator {loss_d:.4f}, ln 4 = {np.log(4):.4f}")

# %% [markdown]
# `RectifiedFlow` has a larger network, a learned vector in place of zeros for "no condition", and draws $t$
# from the logistic function of a Gaussian number, which is more often near $1/2$ (Esser et al. 2024). Its
# loss and its sampler are those of sections 5 and 6.

# %%
packaged_flow = generation.RectifiedFlow(16, 10, width=128)
x1, c = draw_batch(256)
torch.manual_seed(6)
packaged_error = packaged_flow({"x": x1, "condition": c})["error"].mean()
torch.manual_seed(6)
x0, t = torch.randn_like(x1), torch.randn(256, 1).sigmoid()
known = torch.rand(256, 1) >= 0.1
v = packaged_flow.velocity((1 - t) * x0 + t * x1, t, c, known)
assert torch.isclose(((v - (x1 - x0)) ** 2).mean(), packaged_error)


def packaged_velocity(x, t, c):
    return packaged_flow.velocity(x, t, c, c.sum(dim=1, keepdim=True) > 0)


with torch.no_grad():
    ours = sample_flow(packaged_velocity, c, torch.zeros(256, 16), guidance=2.0)
assert torch.allclose(ours, packaged_flow.sample(c, noise=0.0, guidance=2.0), atol=1e-5)

# %% [markdown]
# ## Appendix: a tighter bound on $\ln p(x)$
#
# With $S$ draws $z_1, \dots, z_S$ from $q(z \mid x)$, the mean of the weights $p(x, z_s) / q(z_s \mid x)$
# is an unbiased estimate of $p(x)$. The logarithm is concave, so by Jensen's inequality
#
# $$\ln p(x) \ge \mathbb{E} \ln \frac{1}{S} \sum_{s=1}^{S} \frac{p(x, z_s)}{q(z_s \mid x)}$$
#
# For $S = 1$ this is the ELBO, and it does not fall if $S$ grows (Burda, Grosse and Salakhutdinov 2016).
# Their published number is of this kind, with $S = 5000$.

# %%
some = x_test[::5]
log_weights = []
with torch.no_grad():
    mean_q, log_variance_q = encoder(some).chunk(2, dim=1)
    for _ in range(200):
        draws = torch.randn_like(mean_q)
        z = mean_q + (log_variance_q / 2).exp() * draws
        log_p = -binary_cross_entropy_with_logits(decoder(z), some, reduction="none").sum(dim=1)
        log_prior = -0.5 * (z**2).sum(dim=1)  # constants cancel
        log_q = -0.5 * (draws**2 + log_variance_q).sum(dim=1)
        log_weights.append(log_p + log_prior - log_q)
log_weights = torch.stack(log_weights)
one_draw = -log_weights.mean().item() / (784 * np.log(2))
many_draws = -(log_weights.logsumexp(dim=0) - np.log(200)).mean().item() / (784 * np.log(2))
print(
    f"bits per pixel: S = 1: {one_draw:.3f}, S = 200: {many_draws:.3f}, published {published:.3f}"
)
exercises.verify("more draws give a tighter bound", many_draws < one_draw)

# %% [markdown]
# ## Recap
#
# - The ELBO of a VAE is below $\ln p(x)$ by the KL divergence of $q$ from the posterior. We measured this
#   gap.
# - With few images a VAE overfits: report bits per pixel of test images, beside a baseline.
# - The best discriminator is $p / (p + p_G)$. Its game has the value $2\, \text{JS} - \ln 4$.
# - A rectified flow is a regression on $x_1 - x_0$. Its velocity is a conditional mean, so its paths bend.
# - Guidance raises digit accuracy and lowers variety. It changes the distribution.
# - The Fréchet distance needs a unit. Ours is the distance of real training images.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/09_generative_models.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/09_generative_models.ipynb).
#
# ### Exercise 3 · ★★ · 3 minutes · function
#
# Write the KL part of the ELBO for a batch, from the mean and the logarithm of the variance.


# %% tags=["exercise"]
def my_divergence(mean, log_variance):
    """Return KL(N(mean, variance) || N(0, I)) in nats, summed over columns: (N, dim) -> (N,)."""
    ...  # your code


exercises.check("divergence", my_divergence)

# %% [markdown]
# ### Exercise 4 · ★★ · 3 minutes · function
#
# Write the best discriminator from two log densities. It must also work where the densities are too small for
# the computer.


# %% tags=["exercise"]
def my_best_discriminator(log_p, log_p_g):
    """Return p / (p + p_G) for arrays of log densities."""
    ...  # your code


exercises.check("best discriminator", my_best_discriminator)

# %% [markdown]
# ### Exercise 5 · ★★ · 3 minutes · find the bug
#
# This sampler should follow section 6. But with `guidance = 1` its samples have too little variety. Which
# line is wrong?
#
# ```python
# 1  x = torch.randn(len(c), 16)
# 2  for step in range(steps):
# 3      t = torch.full((len(c), 1), step / steps)
# 4      v, u = velocity(x, t, c), velocity(x, t, 0 * c)
# 5      v = v + guidance * (v - u)
# 6      x = x + v / steps
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "2"

exercises.check("guidance with a bug", my_wrong_line)

# %% [markdown]
# ### Exercise 6 · ★★★ · 5 minutes · derive
#
# The data are one Gaussian, $N(\mu, s^2)$. Then $v^*(x, t)$ is the bracket in section 5 with $\mu_k = \mu$.
# Solve $dx/dt = v^*(x, t)$ for a path that starts at $x_0$. Start: try $x(t) = t \mu + b(t)\, x_0$ with
# $b(0) = 1$. Goal: a closed form of $x(t)$.


# %% tags=["exercise"]
def my_path(x0, t, mean, s):
    """Return x(t) for the path that starts at x0, four numbers -> a number."""
    ...  # your code


exercises.check("path of a Gaussian", my_path)

# %% [markdown]
# ### Exercise 7 · ★★ · 2 minutes · choose
#
# A generator is bad, and the discriminator gives its samples $D = 0.001$. Compare the derivatives of
# $\ln (1 - D)$ and of $-\ln D$ with respect to the score $f$. Which loss should the generator minimize? (a)
# $\ln (1 - D)$, because its derivative is larger. (b) $-\ln D$, because its derivative is 999 times as
# large. (c) Either, because both derivatives have the same size.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("loss of the generator", my_choice)

# %% [markdown]
# ## What to try next
#
# - Train the VAE with 2 and with 64 latents. Which one has the better bound, and which the better samples?
# - Multiply the KL part of the loss by 0.15, and compare reconstructions, samples and bits.
# - Set the gradient penalty of the GAN to 0, and watch the scores and the table.
# - Replace the digit in the GAN's condition by a random category, and let a further network predict the
#   category from the sample (InfoGAN, Chen et al. 2016). Its loss is a bound of notebook 03.

# %% [markdown]
# ## References
#
# - Kingma, D. P., & Welling, M. (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
# - Burda, Y., Grosse, R., & Salakhutdinov, R. (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519
# - Goodfellow, I. J., et al. (2014). Generative adversarial networks. https://arxiv.org/abs/1406.2661
# - Mescheder, L., Geiger, A., & Nowozin, S. (2018). Which training methods for GANs do actually converge? https://arxiv.org/abs/1801.04406
# - Miyato, T., et al. (2018). Spectral normalization for generative adversarial networks. https://arxiv.org/abs/1802.05957
# - Arjovsky, M., Chintala, S., & Bottou, L. (2017). Wasserstein GAN. https://arxiv.org/abs/1701.07875
# - Chen, X., et al. (2016). InfoGAN: interpretable representation learning by information maximizing generative adversarial nets. https://arxiv.org/abs/1606.03657
# - Liu, X., Gong, C., & Liu, Q. (2022). Flow straight and fast: learning to generate and transfer data with rectified flow. https://arxiv.org/abs/2209.03003
# - Esser, P., et al. (2024). Scaling rectified flow transformers for high-resolution image synthesis. https://arxiv.org/abs/2403.03206
# - Ho, J., & Salimans, T. (2022). Classifier-free diffusion guidance. https://arxiv.org/abs/2207.12598
# - Rombach, R., et al. (2022). High-resolution image synthesis with latent diffusion models. https://arxiv.org/abs/2112.10752
# - Dowson, D. C., & Landau, B. V. (1982). The Fréchet distance between multivariate normal distributions. https://doi.org/10.1016/0047-259X(82)90077-X
#
# Previous: [08 · Simulated memory](08_simulated_memory.ipynb) · Next: [10 · From any modality to any other](10_cross_modal_generation.ipynb)
