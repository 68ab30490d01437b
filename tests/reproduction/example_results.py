"""Example claims and results for tests of the runner, the tables and the report."""

import math

from reproduction import Claim, Interval, Results, Run

PROVENANCE = {
    "code": "c0de",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "changed": False,
    "full": False,
    "data": {"digits.npz.xz": "5ba"},
    "versions": {"python": "3.11.0"},
    "machine": {
        "processor": "abacus",
        "cores": 2,
        "memory": 2**33,
        "accelerator": "no GPU",
        "system": "Linux x86_64",
    },
}
ACCURACY = Claim(
    "accuracy",
    "clustering accuracy",
    "published: 98 %",
    "Doe 2020, arXiv:2001.00001",
    "%",
    at_least=0.97,
    worst_at_least=0.95,
    notebook="07",
)
INFORMATION = Claim(
    "information",
    "I(x; y)",
    "ln 10 = 2.303 nats",
    "formula",
    "nats",
    at_most=2.303,
    target=math.log(10),
)
ERROR = Claim("largest-error", "largest <error>", "0", "the same run", at_most=1e-12)
SECONDS = Claim("seconds", "CPU seconds", "none", "none", "s")


def run_of(experiment="sorting", seed=0, *, error="", **values):
    ids = {name.replace("_", "-"): each for name, each in values.items()}
    values = {name: each if isinstance(each, tuple) else (each,) for name, each in ids.items()}
    date = f"2026-01-0{seed + 1}T00:00:00+00:00"
    return Run(experiment, seed, values, error, 1.5, 2.0, 2**28, date, PROVENANCE)


def accuracy(**bounds):
    """A claim without the words that a test does not need."""
    return Claim("accuracy", "accuracy", "", "", **bounds)


def outcome(claim, *runs):
    (only,) = Results({"sorting": (claim,)}, runs).outcomes
    return only


def accuracies(*values):
    return [run_of(seed=seed, accuracy=value) for seed, value in enumerate(values)]


def some_results():
    runs = [
        *(run_of(seed=i, accuracy=0.97 + i / 100, seconds=math.inf) for i in range(2)),
        run_of("telling", information=Interval(2.2, 2.1, 2.3), largest_error=3e-16),
        run_of("hanging", error="RuntimeError: <b> & no luck"),
    ]
    claims = {
        "sorting": (ACCURACY, SECONDS),
        "telling": (INFORMATION, ERROR),
        "hanging": (Claim("hope", "a hope", "1", "none", at_least=1),),
    }
    return Results(claims, runs)
