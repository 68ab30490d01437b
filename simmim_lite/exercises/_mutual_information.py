"""Notebook 02."""

import math

import numpy as np
from scipy.special import digamma

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("gaussian information", "return I(X; Y) in nats of a Gaussian pair of correlation rho")
def _gaussian_information() -> Cases:
    yield Case("rho = 0", (0.0,), 0.0, "uncorrelated Gaussians are independent")
    for rho in (0.6, -0.6):
        yield Case(f"rho = {rho}", (rho,), -0.5 * math.log(0.64), "I = -1/2 ln(1 - rho^2)")
    yield Case("rho = 0.999", (0.999,), -0.5 * math.log1p(-(0.999**2)), "I grows without bound")


@exercise("merge", "return the table with the rows of each group added up")
def _merge() -> Cases:
    table = np.array([[0.1, 0.2], [0.3, 0.1], [0.05, 0.25]])
    yield Case(
        "three rows in two groups",
        (table, np.array([0, 1, 0])),
        [[0.15, 0.45], [0.3, 0.1]],
        "rows 0 and 2 become the new row 0",
    )
    reason = "one row is left: the distribution of y"
    yield Case("one group for all", (table, np.array([0, 0, 0])), [[0.45, 0.55]], reason)
    table = np.random.default_rng(5).dirichlet(np.ones(24)).reshape(6, 4)
    groups = np.array([2, 0, 1, 1, 0, 2])
    expected = [table[groups == group].sum(axis=0) for group in range(3)]
    yield Case("six rows in three groups", (table, groups), expected, "row g is group g")


@exercise("conditional information", "return I(X; Y | Z) in nats of a table p(x, y, z)")
def _conditional_information() -> Cases:
    xor = np.zeros((2, 2, 2))
    for x, y in np.ndindex(2, 2):
        xor[x, y, x ^ y] = 0.25
    reason = "X and Y are independent, but given Z each determines the other"
    yield Case("exclusive or", (xor,), math.log(2), reason)
    copies = np.zeros((2, 2, 2))
    copies[0, 0, 0] = copies[1, 1, 1] = 0.5
    yield Case("three copies of a coin", (copies,), 0.0, "given Z, X and Y are certain")
    table = np.random.default_rng(6).dirichlet(np.ones(24)).reshape(2, 3, 4)
    yield Case(
        "a random 2 x 3 x 4 table",
        (table,),
        reference.conditional_mutual_information(table),
        "I(X; Y | Z) = H(X, Z) + H(Y, Z) - H(X, Y, Z) - H(Z)",
    )


@exercise("ksg", "return Kraskov's first estimate from the neighbor counts n_x and n_y and k")
def _ksg() -> Cases:
    n_x, n_y = np.array([3, 4, 3, 9]), np.array([5, 3, 3, 4])
    for k in (1, 3):
        expected = (
            digamma(k) + digamma(4) - np.mean(digamma(n_x + 1.0)) - np.mean(digamma(n_y + 1.0))
        )
        reason = "I = psi(k) + psi(N) - mean(psi(n_x + 1) + psi(n_y + 1))"
        yield Case(f"four points, k = {k}", (n_x, n_y, k), expected, reason)
    n = np.full(50, 49)
    yield Case(
        "every point is a neighbor in x and in y",
        (n, n, 2),
        digamma(2) - digamma(50),
        "the estimate is negative here, and must not be clipped",
    )
