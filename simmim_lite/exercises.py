"""Checks for the notebooks' exercises: they take the learner's function and say what it should do.

``check("entropy", my_entropy)`` runs the function on a handful of cases whose answers are known.
A wrong answer is an ``AssertionError`` that names the case, what was expected and what came; an
untouched stub prints "not done yet", so that a notebook still runs from top to bottom.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, logsumexp
from scipy.stats import binom

from simmim_lite import entropy as reference
from simmim_lite._arguments import check_choice


@dataclass(frozen=True)
class Case:
    """One call and its answer; ``why`` completes the sentence "it should be ..., because ..."."""

    situation: str
    arguments: tuple
    expected: Any
    why: str
    tolerance: float = 1e-9


@dataclass(frozen=True)
class Exercise:
    """What the function should do, and the cases that show it (made anew for each check)."""

    task: str
    cases: Callable[[], Iterable[Case]]


EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, task: str) -> Callable[[Callable[[], Iterable[Case]]], Exercise]:
    """Register the decorated function's cases as the exercise ``name``."""

    def register(cases: Callable[[], Iterable[Case]]) -> Exercise:
        EXERCISES[name] = Exercise(task, cases)
        return EXERCISES[name]

    return register


def check(name: str, function: Callable) -> None:
    """Run the learner's ``function`` on the cases of the exercise ``name`` and print the verdict.

    Raises:
        ValueError: ``name`` is no exercise.
        TypeError: ``function`` cannot be called.
        AssertionError: the function gives a wrong answer, or fails; the message says on what,
            what the answer should be and why.
    """
    check_choice("name", name, EXERCISES)
    if not callable(function):
        raise TypeError(f"function: expected a function, got {function!r}")
    task, cases = EXERCISES[name].task, list(EXERCISES[name].cases())
    for case in cases:
        # The learner's function may change its arguments; the next check must not notice.
        arguments = tuple(np.copy(a) if isinstance(a, np.ndarray) else a for a in case.arguments)
        try:
            answer = function(*arguments)
        except NotImplementedError:
            answer = None
        except Exception as error:
            raise AssertionError(
                f"{name}: on {case.situation} the function failed with "
                f"{type(error).__name__}: {error}. It should {task}."
            ) from error
        if answer is None or answer is Ellipsis or answer is NotImplemented:
            print(f"{name}: not done yet. It should {task}.")
            return
        if not _agrees(answer, case.expected, case.tolerance):
            raise AssertionError(
                f"{name}: on {case.situation} the answer should be {_show(case.expected)}, "
                f"because {case.why}; got {_show(answer)}."
            )
    print(f"{name}: right, {len(cases)} cases of {len(cases)}.")


def _agrees(answer: Any, expected: Any, tolerance: float) -> bool:
    """Same shape and, within the relative tolerance, same numbers."""
    try:
        answer = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        return False
    expected = np.asarray(expected, dtype=float)
    return answer.shape == expected.shape and np.allclose(
        answer, expected, rtol=tolerance, atol=1e-9
    )


def _show(value: Any) -> str:
    try:
        text = np.array2string(np.asarray(value, dtype=float), precision=4, threshold=12)
        return " ".join(text.split())
    except (TypeError, ValueError):
        return repr(value)[:80]


def _information(table: np.ndarray) -> float:
    return reference.mutual_information(table)


# Notebook 00


@exercise("joint table", "return the share of samples in each cell, rows x, columns y")
def _joint_table() -> Iterable[Case]:
    yield Case(
        "four pairs of two symbols",
        (np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])),
        [[0.25, 0.25], [0.0, 0.5]],
        "a quarter of the pairs is (0, 0), a quarter (0, 1), half (1, 1)",
    )
    yield Case(
        "three rows and two columns",
        (np.array([0, 1, 2, 2, 2]), np.array([1, 0, 1, 1, 0])),
        [[0.0, 0.2], [0.2, 0.0], [0.2, 0.4]],
        "x picks the row and y the column, also when they have different numbers of symbols",
    )
    x, y = np.random.default_rng(0).integers(0, (5, 3), size=(200, 2)).T
    table = np.histogram2d(x, y, bins=(np.arange(6), np.arange(4)))[0] / 200
    yield Case("200 random pairs", (x, y), table, "each pair adds 1/200 to its cell")


@exercise("mutual information", "return I(X; Y) in nats of a table that may hold zeros")
def _mutual_information() -> Iterable[Case]:
    independent = np.outer([0.2, 0.8], [0.5, 0.3, 0.2])
    yield Case("an independent table", (independent,), 0.0, "the joint is the product there")
    yield Case(
        "a diagonal table of ten classes",
        (np.eye(10) / 10,),
        math.log(10),
        "each symbol tells the other; an empty cell adds nothing (0 log 0 = 0)",
    )
    table = np.random.default_rng(1).dirichlet(np.ones(12)).reshape(3, 4)
    yield Case(
        "a random 3 x 4 table", (table,), _information(table), "I = sum p log(p / (p_x p_y)), nats"
    )


@exercise("chance level", "return the mean plug-in information of x and many shuffles of y")
def _chance_level() -> Iterable[Case]:
    generator = np.random.default_rng(2)
    for symbols, n in ((10, 400), (4, 200)):
        x = generator.integers(0, symbols, n)
        expected = (symbols - 1) ** 2 / (2 * n)
        yield Case(
            f"{n} pairs that are equal, of {symbols} symbols",
            (x, x),
            np.mean([_plug_in(x, generator.permutation(x)) for _ in range(2000)]),
            f"shuffling breaks every pair and leaves the bias, about {expected:.3f} nats",
            0.1 if symbols == 10 else 0.2,
        )


def _plug_in(x: np.ndarray, y: np.ndarray) -> float:
    return _information(reference.counts(x, y) / len(x))


# Notebook 01


@exercise("entropy", "return H(p) in nats of a probability vector that may hold zeros")
def _entropy() -> Iterable[Case]:
    yield Case("a fair coin", (np.array([0.5, 0.5]),), math.log(2), "H = ln 2 nats, not 1 bit")
    yield Case("a sure thing", (np.array([1.0, 0.0]),), 0.0, "0 log 0 = 0: no surprise")
    p = np.random.default_rng(3).dirichlet(np.ones(7))
    yield Case("seven random probabilities", (p,), reference.entropy(p), "H = -sum p log p")


@exercise("conditional entropy", "return H(X | Y) in nats of a table with rows X, columns Y")
def _conditional_entropy() -> Iterable[Case]:
    yield Case("a diagonal table", (np.eye(3) / 3,), 0.0, "Y tells X")
    table = np.outer([0.25, 0.75], [0.1, 0.9])
    yield Case(
        "an independent table",
        (table,),
        reference.entropy([0.25, 0.75]),
        "Y tells nothing, so H(X | Y) = H(X): mind which axis is X",
    )
    table = np.array([[0.5, 0.0, 0.1], [0.25, 0.0, 0.15]])
    yield Case(
        "a table with an empty column",
        (table,),
        reference.conditional_entropy(table, given=1),
        "H(X | Y) = H(X, Y) - H(Y), and an empty column adds nothing",
    )


@exercise("kl divergence", "return KL(p || q) in nats, infinite where q rules out what p allows")
def _kl_divergence() -> Iterable[Case]:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    yield Case("p with a zero", (p, q), 0.5 * math.log(2), "0 log 0 = 0, and p weighs the sum")
    yield Case("q with a zero", (q, p), math.inf, "p allows what q rules out")
    p, q = np.random.default_rng(4).dirichlet(np.ones(5), size=2)
    yield Case("p and p", (p, p), 0.0, "nothing is lost with the right model")
    yield Case("two random vectors", (p, q), np.sum(p * np.log(p / q)), "KL = sum p log(p / q)")


@exercise("miller-madow", "return the plug-in entropy of the counts plus Miller and Madow's term")
def _miller_madow() -> Iterable[Case]:
    yield Case(
        "counts 5 and 5",
        (np.array([5, 5]),),
        math.log(2) + 1 / 20,
        "(K - 1) / 2N = 1/20 is added to ln 2",
    )
    yield Case(
        "a cell that was never seen",
        (np.array([6, 0, 2]),),
        reference.entropy([0.75, 0.25]) + 1 / 16,
        "K counts the two cells that were seen",
    )
    yield Case("one cell only", (np.array([9]),), 0.0, "K - 1 = 0: nothing to correct")


# Notebook 02


@exercise("gaussian information", "return I(X; Y) in nats of a Gaussian pair of correlation rho")
def _gaussian_information() -> Iterable[Case]:
    yield Case("rho = 0", (0.0,), 0.0, "uncorrelated Gaussians are independent")
    for rho in (0.6, -0.6):
        yield Case(f"rho = {rho}", (rho,), -0.5 * math.log(0.64), "I = -1/2 ln(1 - rho^2)")
    yield Case("rho = 0.999", (0.999,), -0.5 * math.log1p(-(0.999**2)), "it grows without bound")


@exercise("merge", "return the table after rows of x with the same group are added up")
def _merge() -> Iterable[Case]:
    table = np.array([[0.1, 0.2], [0.3, 0.1], [0.05, 0.25]])
    yield Case(
        "three rows in two groups",
        (table, np.array([0, 1, 0])),
        [[0.15, 0.45], [0.3, 0.1]],
        "rows 0 and 2 become the new row 0",
    )
    yield Case(
        "one group for all",
        (table, np.array([0, 0, 0])),
        [[0.45, 0.55]],
        "one row is left: the distribution of y",
    )
    table = np.random.default_rng(5).dirichlet(np.ones(24)).reshape(6, 4)
    groups = np.array([2, 0, 1, 1, 0, 2])
    expected = [table[groups == group].sum(axis=0) for group in range(3)]
    yield Case("six rows in three groups", (table, groups), expected, "row g is group g")


@exercise("conditional information", "return I(X; Y | Z) in nats of a table p(x, y, z)")
def _conditional_information() -> Iterable[Case]:
    xor = np.zeros((2, 2, 2))
    for x, y in np.ndindex(2, 2):
        xor[x, y, x ^ y] = 0.25
    yield Case(
        "exclusive or",
        (xor,),
        math.log(2),
        "X and Y are independent, yet given Z each tells the other",
    )
    copies = np.zeros((2, 2, 2))
    copies[0, 0, 0] = copies[1, 1, 1] = 0.5
    yield Case("three copies of a coin", (copies,), 0.0, "once Z is known, nothing is left to tell")
    table = np.random.default_rng(6).dirichlet(np.ones(24)).reshape(2, 3, 4)
    yield Case(
        "a random 2 x 3 x 4 table",
        (table,),
        reference.conditional_mutual_information(table),
        "I(X; Y | Z) = H(X, Z) + H(Y, Z) - H(X, Y, Z) - H(Z)",
    )


@exercise("ksg", "return Kraskov's first estimate from the neighbour counts n_x and n_y and k")
def _ksg() -> Iterable[Case]:
    n_x, n_y = np.array([3, 4, 3, 9]), np.array([5, 3, 3, 4])
    for k in (1, 3):
        expected = (
            digamma(k) + digamma(4) - np.mean(digamma(n_x + 1.0)) - np.mean(digamma(n_y + 1.0))
        )
        yield Case(
            f"four points, k = {k}",
            (n_x, n_y, k),
            expected,
            "I = psi(k) + psi(N) - mean(psi(n_x + 1) + psi(n_y + 1))",
        )
    n = np.full(50, 49)
    yield Case(
        "every point is a neighbour in x and in y",
        (n, n, 2),
        digamma(2) - digamma(50),
        "it is negative here, and must not be clipped",
    )


# Notebook 03


def _scores(K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(K, K)) + 2 * np.eye(K)


@exercise("info nce", "return the InfoNCE bound in nats of a (K, K) matrix of scores")
def _info_nce() -> Iterable[Case]:
    yield Case("equal scores", (np.zeros((4, 4)),), 0.0, "they tell no partner from a stranger")
    yield Case(
        "a diagonal far above the rest",
        (1000 * np.eye(8),),
        math.log(8),
        "a perfect critic reaches ln K, and e^1000 must not overflow: use logsumexp",
    )
    scores = _scores(5, 7)
    expected = math.log(5) + np.mean(np.diag(scores) - logsumexp(scores, axis=1))
    yield Case("random scores", (scores,), expected, "row i holds the candidates of x_i")


@exercise("nwj", "return the NWJ bound in nats of a (K, K) matrix of scores")
def _nwj() -> Iterable[Case]:
    ones = np.ones((3, 3))
    yield Case("scores of one", (ones,), 0.0, "1 - e^(1 - 1) = 0: the critic of independence")
    for K in (2, 6):
        scores = _scores(K, K)
        strangers = scores[~np.eye(K, dtype=bool)]
        yield Case(
            f"random scores of {K} pairs",
            (scores,),
            np.mean(np.diag(scores)) - np.mean(np.exp(strangers - 1)),
            "the diagonal makes the first term, and only what is off it the second",
        )


@exercise("candidates", "return the smallest whole number K with ln K >= nats")
def _candidates() -> Iterable[Case]:
    for nats, K in ((0.0, 1), (2.0, 8), (4.1, 61), (10.0, 22027)):
        yield Case(f"{nats} nats", (nats,), K, f"ln {K} = {math.log(K):.4f} is enough, not K - 1")


@exercise("ceiling", "return E ln K / (1 + n), n of K - 1 strangers being of the same class")
def _ceiling() -> Iterable[Case]:
    yield Case("one candidate", (1, 10), 0.0, "a choice of one tells nothing")
    yield Case(
        "two candidates, two classes",
        (2, 2),
        math.log(2) / 2,
        "half of the time the other is of the same class, and nothing is told",
    )
    counts = np.arange(64)
    expected = binom.pmf(counts, 63, 0.1) @ (math.log(64) - np.log1p(counts))
    yield Case("64 candidates, ten classes", (64, 10), expected, "n is binomial (K - 1, 1/classes)")
