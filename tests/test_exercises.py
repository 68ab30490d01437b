"""Each check accepts its solution, rejects wrong answers, and lets an untouched stub pass by."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.special import digamma, logsumexp
from scipy.stats import binom

from simmim_lite import exercises

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted((NOTEBOOKS / "scripts").glob("*.py"))
CHECKED = re.compile(r'^exercises\.check\("([^"]+)", (\w+)\)', re.MULTILINE)


def plain_entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return -np.sum(p * np.log(p))


def information(table):
    return (
        plain_entropy(table.sum(0)) + plain_entropy(table.sum(1)) - plain_entropy(np.ravel(table))
    )


def joint(x, y):
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1 / len(x))
    return table


def counted_once(x, y):
    table = np.zeros((x.max() + 1, y.max() + 1))
    table[x, y] += 1 / len(x)
    return table


def shuffled_mean(x, y, shuffles=200):
    generator = np.random.default_rng(0)
    return np.mean([information(joint(x, generator.permutation(y))) for _ in range(shuffles)])


def merge(table, groups):
    return np.array([table[groups == g].sum(axis=0) for g in range(groups.max() + 1)])


def ksg(n_x, n_y, k):
    return digamma(k) + digamma(len(n_x)) - np.mean(digamma(n_x + 1) + digamma(n_y + 1))


# What learners write: the transposed, the unnormalized, the wrong unit, the forgotten zero.
WRONG = {
    "joint table": {
        "counts instead of shares": lambda x, y: joint(x, y) * len(x),
        "columns x, rows y": lambda x, y: joint(x, y).T,
        "each cell counted once": counted_once,
        "a square table": lambda x, y: joint(x, y)[:2, :2],
        "the margins multiplied": lambda x, y: np.outer(joint(x, y).sum(1), joint(x, y).sum(0)),
    },
    "mutual information": {
        "bits": lambda t: information(t) / np.log(2),
        "the joint entropy": plain_entropy,
        "the sign turned": lambda t: -information(t),
        "zeros not left out": lambda t: np.sum(t * np.log(t / np.outer(t.sum(1), t.sum(0)))),
        "shuffled always": lambda t: 0.0,
    },
    "chance level": {
        "no shuffle": lambda x, y: information(joint(x, y)),
        "zero": lambda x, y: 0.0,
        "the formula without the half": lambda x, y: x.max() * y.max() / len(x),
        "one bit base": lambda x, y: shuffled_mean(x, y) / np.log(2),
        "shuffled together": lambda x, y: information(joint(np.sort(x), np.sort(y))),
    },
    "entropy": {
        "bits": lambda p: plain_entropy(p) / np.log(2),
        "the sign forgotten": lambda p: -plain_entropy(p),
        "zeros not left out": lambda p: -np.sum(p * np.log(p)),
        "the mean, not the sum": lambda p: plain_entropy(p) / len(p),
        "a vector": lambda p: -p * np.log(p + (p == 0)),
    },
    "conditional entropy": {
        "H(Y | X)": lambda t: plain_entropy(t) - plain_entropy(t.sum(axis=1)),
        "H(X)": lambda t: plain_entropy(t.sum(axis=1)),
        "the joint entropy": lambda t: plain_entropy(np.ravel(t)),
        "columns not weighed": lambda t: np.mean(
            [plain_entropy(c / c.sum()) for c in t.T if c.any()]
        ),
        "empty columns divided": lambda t: -np.sum(t * np.log(t / t.sum(axis=0))),
    },
    "kl divergence": {
        "the other way round": lambda p, q: np.sum(q[q > 0] * np.log(q[q > 0] / p[q > 0])),
        "zeros of q left out": lambda p, q: np.sum(
            p[(p > 0) & (q > 0)] * np.log(p[(p > 0) & (q > 0)] / q[(p > 0) & (q > 0)])
        ),
        "cross-entropy": lambda p, q: -np.sum(p[p > 0] * np.log(q[p > 0])),
        "smoothed": lambda p, q: np.sum(p * np.log((p + 1e-6) / (q + 1e-6))),
    },
    "miller-madow": {
        "plug-in": lambda n: plain_entropy(n / n.sum()),
        "all cells": lambda n: plain_entropy(n / n.sum()) + (len(n) - 1) / (2 * n.sum()),
        "the sign turned": lambda n: (
            plain_entropy(n / n.sum()) - (np.count_nonzero(n) - 1) / (2 * n.sum())
        ),
        "K, not K - 1": lambda n: plain_entropy(n / n.sum()) + np.count_nonzero(n) / (2 * n.sum()),
    },
    "gaussian information": {
        "bits": lambda rho: -0.5 * np.log2(1 - rho**2),
        "the half forgotten": lambda rho: -np.log(1 - rho**2),
        "rho, not its square": lambda rho: -0.5 * np.log(1 - rho),
        "the sign": lambda rho: 0.5 * np.log(1 - rho**2),
        "the correlation itself": abs,
    },
    "merge": {
        "the mean of a group": lambda t, g: np.array(
            [t[g == i].mean(axis=0) for i in range(g.max() + 1)]
        ),
        "columns": lambda t, g: merge(t, g).T,
        "the last row wins": lambda t, g: np.array([t[g == i][-1] for i in range(g.max() + 1)]),
        "rows sorted, not merged": lambda t, g: t[np.argsort(g)],
        "made a conditional": lambda t, g: merge(t, g) / merge(t, g).sum(axis=1, keepdims=True),
    },
    "conditional information": {
        "Z summed out": lambda t: information(t.sum(axis=2)),
        "I(X; Z | Y)": lambda t: (
            plain_entropy(t.sum(2)) + plain_entropy(t.sum(0))
            - plain_entropy(t) - plain_entropy(t.sum((0, 2)))
        ),
        "H(Z) forgotten": lambda t: (
            plain_entropy(t.sum(1)) + plain_entropy(t.sum(0)) - plain_entropy(t)
        ),
        "slices not weighed": lambda t: np.mean(
            [information(t[..., z] / t[..., z].sum()) for z in range(t.shape[2]) if t[..., z].any()]
        ),
    },
    "ksg": {
        "ln instead of digamma": lambda n_x, n_y, k: (
            np.log(k) + np.log(len(n_x)) - np.mean(np.log(n_x + 1) + np.log(n_y + 1))
        ),
        "n, not n + 1": lambda n_x, n_y, k: (
            digamma(k) + digamma(len(n_x)) - np.mean(digamma(n_x) + digamma(n_y))
        ),
        "clipped at zero": lambda n_x, n_y, k: max(0.0, ksg(n_x, n_y, k)),
        "digamma of the mean": lambda n_x, n_y, k: (
            digamma(k) + digamma(len(n_x)) - digamma(n_x.mean() + 1) - digamma(n_y.mean() + 1)
        ),
        "k forgotten": lambda n_x, n_y, k: ksg(n_x, n_y, 1),
    },
    "info nce": {
        "ln K forgotten": lambda s: np.mean(np.diag(s) - logsumexp(s, axis=1)),
        "columns": lambda s: np.log(len(s)) + np.mean(np.diag(s) - logsumexp(s, axis=0)),
        "no logsumexp": lambda s: (
            np.log(len(s)) + np.mean(np.diag(s) - np.log(np.exp(s).sum(axis=1)))
        ),
        "the loss": lambda s: -np.mean(np.diag(s) - logsumexp(s, axis=1)),
    },
    "nwj": {
        "the diagonal in the second term": lambda s: (
            np.mean(np.diag(s)) - np.mean(np.exp(s - 1))
        ),
        "the shift forgotten": lambda s: (
            np.mean(np.diag(s)) - np.mean(np.exp(s[~np.eye(len(s), dtype=bool)]))
        ),
        "Donsker-Varadhan": lambda s: (
            np.mean(np.diag(s)) - np.log(np.mean(np.exp(s[~np.eye(len(s), dtype=bool)])))
        ),
        "all scores in the first term": lambda s: (
            np.mean(s) - np.mean(np.exp(s[~np.eye(len(s), dtype=bool)] - 1))
        ),
    },
    "candidates": {
        "not rounded": np.exp,
        "rounded down": lambda nats: int(np.exp(nats)),
        "bits": lambda nats: int(np.ceil(2**nats)),
        "one too many": lambda nats: int(np.ceil(np.exp(nats))) + 1,
    },
    "ceiling": {
        "ln K": lambda K, classes: np.log(K),
        "the entropy of the class": lambda K, classes: np.log(classes),
        "the mean inside the logarithm": lambda K, classes: np.log(K / (1 + (K - 1) / classes)),
        "K strangers": lambda K, classes: (
            binom.pmf(np.arange(K + 1), K, 1 / classes) @ np.log(K / (1 + np.arange(K + 1)))
        ),
    },
}  # fmt: skip


def test_every_exercise_of_the_notebooks_has_a_check_a_solution_and_wrong_answers():
    asked = [name for script in SCRIPTS for name, _ in CHECKED.findall(script.read_text("utf-8"))]
    assert sorted(asked) == sorted(exercises.EXERCISES) == sorted(WRONG)
    assert all(len(wrong) >= 3 for wrong in WRONG.values())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_solutions_pass_the_checks_of_their_notebook(script, capsys):
    asked = [name for name, _ in CHECKED.findall(script.read_text("utf-8"))]
    assert 3 <= len(asked) <= 4
    runpy.run_path(str(NOTEBOOKS / "solutions" / script.name))
    assert re.findall(r"^(.+): right, ", capsys.readouterr().out, re.MULTILINE) == asked


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, wrong in WRONG.items() for mistake in wrong]
)
def test_a_wrong_answer_is_rejected_with_the_reason(name, mistake):
    with pytest.raises(AssertionError, match=f"^{name}: on .* (should be .*because|It should)"):
        exercises.check(name, WRONG[name][mistake])


@pytest.mark.parametrize("name", exercises.EXERCISES)
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ..., lambda *_: NotImplemented])
def test_an_untouched_stub_is_not_done_yet(name, stub, capsys):
    exercises.check(name, stub)
    assert capsys.readouterr().out.startswith(f"{name}: not done yet. It should ")


def test_a_stub_may_raise_not_implemented(capsys):
    def stub(p):
        raise NotImplementedError

    exercises.check("entropy", stub)
    assert "not done yet" in capsys.readouterr().out


def test_a_function_that_fails_is_named_with_its_error():
    with pytest.raises(AssertionError, match=r"entropy: on a fair coin .* IndexError: too far"):
        exercises.check("entropy", lambda p: (_ for _ in ()).throw(IndexError("too far")))


def test_a_function_that_changes_its_argument_cannot_spoil_the_next_check():
    def greedy(p):
        answer = plain_entropy(p)
        p[:] = 0
        return answer

    exercises.check("entropy", greedy)
    exercises.check("entropy", plain_entropy)


def test_unknown_name_and_non_function():
    with pytest.raises(ValueError, match="name: expected one of 'joint table'"):
        exercises.check("entropie", plain_entropy)
    with pytest.raises(TypeError, match="function: expected a function, got 3"):
        exercises.check("entropy", 3)
