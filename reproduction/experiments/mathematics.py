"""Identities and closed forms: what has an exact answer is held to it."""

import math

import numpy as np
import scipy.stats
import torch
from sklearn.metrics import mutual_info_score

from reproduction.claims import Claim, Experiment, Interval, Setting
from simmim_lite import bounds, entropy
from simmim_lite.ground_truth import CorrelatedGaussian
from simmim_lite.mutual_information import estimate

_TABLES = 1000
_SAMPLES = 200  # of 2,000 pairs, for the bias of the nearest neighbors
_ROUNDING = 1e-12

_IDENTITIES = Claim(
    "identities of entropy and mutual information, largest error",
    "0, on 1,000 random tables of three variables",
    "Cover & Thomas 2006, ch. 2",
    at_most=_ROUNDING,
    notebook="01",
)
_ORACLES = Claim(
    "entropy, divergence and mutual information beside SciPy and scikit-learn, largest difference",
    "0, on 1,000 random tables",
    "the same run",
    at_most=_ROUNDING,
    notebook="01",
)
_GAUSSIAN = Claim(
    "closed form of the Gaussian beside its integral, largest difference",
    "0, by Gauss-Hermite quadrature at 50 correlations",
    "Cover & Thomas 2006, eq. 8.56",
    "nats",
    at_most=1e-10,
    notebook="02",
)
_NEIGHBOURS = Claim(
    "nearest neighbors on 2,000 pairs that share 1 nat, bias",
    "0 nats",
    "Kraskov et al. 2004, arXiv:cond-mat/0305641; closed form",
    "nats",
    at_least=-0.02,
    at_most=0.02,
    notebook="02",
    target=0.0,
)
_CEILING = Claim(
    "InfoNCE with the ideal critic, 5 nats in batches of 32",
    "the largest of 1,000 batches stays under ln 32 = 3.466 nats",
    "van den Oord et al. 2018, arXiv:1807.03748",
    "nats",
    at_least=3.3,
    at_most=math.log(32),
    notebook="03",
    target=math.log(32),
)
_CLIPPED = Claim(
    "SMILE with a clip of 1 and the ideal critic of pairs that share a digit",
    "ln 10 = 2.303 nats: it says more than there is",
    "Song & Ermon 2020, arXiv:1910.06222",
    "nats",
    at_least=math.log(10) + 0.4,
    notebook="03",
    target=math.log(10),
)


def _measure(setting: Setting) -> dict[str, float | Interval]:
    generator = np.random.default_rng(setting.seed)
    tables = [_random_table(generator) for _ in range(_TABLES)]
    return {
        _IDENTITIES.name: max(map(_identity_error, tables)),
        _ORACLES.name: max(map(_oracle_error, tables)),
        _GAUSSIAN.name: max(map(_integral_error, np.linspace(-0.98, 0.98, 50))),
        _NEIGHBOURS.name: _neighbor_bias(setting.seed),
        _CEILING.name: _largest_info_nce(setting.seed),
        _CLIPPED.name: _clipped_smile(setting.seed),
    }


def _random_table(generator: np.random.Generator) -> np.ndarray:
    """Probabilities p(x, y, z), a fifth of them zero."""
    shape = generator.integers(2, 7, size=3)
    weights = generator.exponential(size=shape) * (generator.random(shape) > 0.2)
    weights.flat[0] += 1
    return weights / weights.sum()


def _identity_error(table: np.ndarray) -> float:
    H = entropy.entropy
    pair, triple = table.sum(axis=2), entropy.mutual_information(table.reshape(len(table), -1))
    x, y = pair.sum(axis=1), pair.sum(axis=0)
    information = entropy.mutual_information(pair)
    without = entropy.mutual_information(table.sum(axis=1))
    conditional = entropy.conditional_mutual_information(table)
    zeros = [
        sum(entropy.chain_rule_terms(table)) - H(table),
        information - (H(x) + H(y) - H(pair)),
        information - (H(x) - entropy.conditional_entropy(pair)),
        information - entropy.mutual_information(pair.T),
        information - entropy.kl_divergence(pair, np.outer(x, y)),
        triple - without - conditional,  # the chain rule of mutual information
        min(0.0, information, conditional, H(x) - information, H(y) - information),
    ]
    return max(map(abs, zeros))


def _oracle_error(table: np.ndarray) -> float:
    p, counts = table.ravel(), np.rint(1000 * table.sum(axis=2)).astype(int)
    q = (p + np.roll(p, 1)) / 2
    symbols = np.repeat(np.argwhere(counts + 1), counts.ravel(), axis=0).T
    zeros = [
        entropy.entropy(p) - scipy.stats.entropy(p),
        entropy.kl_divergence(p, q) - scipy.stats.entropy(p, q),
        entropy.sample_mutual_information(*symbols) - mutual_info_score(*symbols),
    ]
    return max(map(abs, zeros))


def _integral_error(correlation: float) -> float:
    """The mean of the log density ratio, integrated: a quadratic, for which 2 x 20 nodes do."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    x, noise = np.meshgrid(nodes, nodes)
    y = correlation * x + math.sqrt(1 - correlation**2) * noise
    joint = scipy.stats.multivariate_normal(cov=[[1, correlation], [correlation, 1]])
    normal = scipy.stats.norm.logpdf
    ratio = joint.logpdf(np.stack([x, y], axis=-1)) - normal(x) - normal(y)
    integral = (np.outer(weights, weights) * ratio).sum() / weights.sum() ** 2
    return abs(integral - CorrelatedGaussian(correlation=correlation).mutual_information)


def _neighbor_bias(seed: int) -> Interval:
    truth = CorrelatedGaussian(nats=1.0)
    samples = (truth.sample(2000, _SAMPLES * seed + i) for i in range(_SAMPLES))
    errors = np.array([estimate(x, y, "ksg").nats - 1.0 for x, y in samples])
    half = 1.96 * errors.std(ddof=1) / math.sqrt(_SAMPLES)
    return Interval(errors.mean(), errors.mean() - half, errors.mean() + half)


def _largest_info_nce(seed: int) -> float:
    truth, K = CorrelatedGaussian(10, nats=5.0), 32
    rho = truth.correlation
    x, y = truth.sample(1000 * K, seed)
    x, y = (torch.tensor(each).reshape(1000, K, -1) for each in (x, y))
    # log p(y | x) but for what does not depend on x
    scores = (rho * x @ y.mT - rho**2 * x.square().sum(-1, keepdim=True) / 2) / (1 - rho**2)
    return max(bounds.info_nce(batch.mT).item() for batch in scores)


def _clipped_smile(seed: int) -> float:
    """Mean over 200 batches of 128 pairs, drawn within ten classes."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(10, (200, 128, 1), generator=generator)
    scores = torch.where(classes == classes.mT, math.log(10), -50.0)
    return torch.stack([bounds.smile(batch, 1.0) for batch in scores]).mean().item()


_CLAIMS = (_IDENTITIES, _ORACLES, _GAUSSIAN, _NEIGHBOURS, _CEILING, _CLIPPED)

EXPERIMENTS = (Experiment("mathematics", _CLAIMS, _measure),)
