"""What a program has set in torch changes no result, and no door changes what is set."""

import contextlib
import random

import numpy as np
import pytest
import torch
from doors import Broken, Door, differ, finite
from recipes import MADE_ONCE
from variants import doors


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextlib.contextmanager
def default_device(device):
    before = torch.get_default_device()
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(before)


STATES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "float64 by default": lambda: default_dtype(torch.float64),
    "float16 by default": lambda: default_dtype(torch.float16),
    "a device for new tensors": lambda: torch.device("meta"),
    "another default device": lambda: default_device("meta"),
    "deterministic algorithms": deterministic,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}
FAST = ("inference_mode", "float64 by default", "a device for new tensors")


def state() -> dict[str, object]:
    """What a program can set, and what it draws from."""
    return {
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "torch's random numbers": torch.random.get_rng_state().numpy().tobytes(),
        "NumPy's random numbers": str(np.random.get_state()),  # noqa: NPY002 - the global ones
        "Python's random numbers": random.getstate(),
        "NumPy's errors": np.geterr(),
        "float32 products": torch.get_float32_matmul_precision(),
    }


def check(door: Door, names) -> None:
    wrong = []
    door.of()  # makes its networks in the ordinary state
    for name in names:
        if (door.builds and "device" in name) or (door.layer and name == "autocast"):
            continue  # what they are for
        arguments = door.natives()
        with STATES[name]():
            before = state()
            found = door.of(**arguments)
            after = state()
        loose = 2e-2 if name == "autocast" else max(door.tolerance, 1e-5)
        complaint = door.complaint("", found, door.expected, tolerance=loose)
        if complaint:
            wrong.append(f"{name}: {complaint}")
        wrong += [f"{name}: {key} changed" for key in before if before[key] != after[key]]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("door", doors(13))
def test_what_is_set_in_torch_changes_nothing(door: Door):
    check(door, FAST)


@pytest.mark.parametrize("door", doors(14))
def test_networks_made_with_float64_by_default_work(door: Door):
    """They have weights of float64, and take float32 as well as float64."""
    for made in MADE_ONCE:
        made.cache_clear()
    arguments = door.natives()
    double = {
        n: v.double() if torch.is_tensor(v) and v.is_floating_point() else v
        for n, v in door.natives().items()
    }
    try:
        with default_dtype(torch.float64):
            found, wide = door.of(**arguments), door.of(**double)
    finally:
        for made in MADE_ONCE:
            made.cache_clear()
    for outcome in (found, wide):
        if not (door.layer and isinstance(outcome, Broken)):
            assert isinstance(outcome, dict), outcome
            assert finite(outcome)
    if isinstance(found, dict) and isinstance(wide, dict) and not door.draws:
        assert differ(found, wide, max(door.tolerance, 1e-4)) is None


@pytest.mark.slow
@pytest.mark.parametrize("door", doors(15))
def test_what_is_seldom_set_in_torch_changes_nothing(door: Door):
    check(door, [name for name in STATES if name not in FAST])
