"""Several processes: gradients and weights are those of one process with the whole batch."""

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_worker import Encoders, exact_run, one_of_several, started

from simmim_lite.training import ContrastiveLoss, compare_gathers, gather_rows
from simmim_lite.training._processes import any_process, process_group

# float64: the sums over rows are taken in another order, and gradients are of the size of 1.
EXACT = 1e-12


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_in(processes: int, folder: Path, options: dict) -> None:
    """`exact_run` in so many processes, each as torchrun starts it."""
    port = free_port()
    running = [
        started(one_of_several, i, processes, port, folder, options) for i in range(processes)
    ]
    for process in running:
        process.join(120)
    assert [process.exitcode for process in running] == [0] * processes


def assert_same(folder: Path, processes: int, options: dict) -> None:
    """All processes have the weights and means that one reaches, without chunks."""
    model, loss, means = exact_run(**options | {"chunk": None})
    true = nn.ModuleList([model, loss]).state_dict()
    before = nn.ModuleList([Encoders(dtype=torch.float64), ContrastiveLoss(0.2).double()])
    for i in range(processes):
        found = load_file(folder / f"process{i}.safetensors")
        for name, value in true.items():
            assert (found[name] - value).abs().max() <= EXACT, name
            assert (value - before.state_dict()[name]).abs().max() > 1e-3, f"{name} did not move"
        theirs = json.loads((folder / f"process{i}.json").read_text(encoding="utf-8"))
        for name in ("loss", "nats", "temperature", "gradient_norm"):
            assert theirs[name] == pytest.approx(means[name], abs=EXACT)
    assert means["nats"] == pytest.approx(math.log(24) - means["loss"])


posix = pytest.mark.skipif(os.name != "posix", reason="processes are forked from a server")
OPTIONS = {
    "whole": {},
    "chunks": {"chunk": 5},
}


@pytest.mark.slow
@posix
@pytest.mark.parametrize("variant", OPTIONS)
def test_two_processes_take_the_steps_of_one(variant, tmp_path):
    run_in(2, tmp_path, OPTIONS[variant])
    assert_same(tmp_path, 2, OPTIONS[variant])


@posix
@pytest.mark.slow
def test_four_processes_take_the_steps_of_one(tmp_path):
    run_in(4, tmp_path, {})
    assert_same(tmp_path, 4, {})


@pytest.mark.slow
@posix
def test_only_the_first_process_writes_and_all_resume(tmp_path):
    saved = {"checkpoints": str(tmp_path / "run"), "checkpoint_every": 2, "resume": True}
    constant = {"schedule": "constant"}
    run_in(2, tmp_path, saved | constant | {"steps": 3})
    assert len(list((tmp_path / "run").glob("step-*.safetensors"))) == 2
    run_in(2, tmp_path, saved | constant)
    assert_same(tmp_path, 2, constant)


@pytest.mark.slow
def test_torchrun(tmp_path):
    worker = Path(__file__).with_name("training_worker.py")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", worker]
    subprocess.run(
        [sys.executable, *command, tmp_path, json.dumps({"chunk": 5})],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        timeout=120,
        capture_output=True,
    )
    assert_same(tmp_path, 2, {"chunk": 5})


@pytest.mark.parametrize(
    "processes", [pytest.param(2, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)]
)
def test_the_ways_to_gather(processes):
    """What a gather without gradient does: see open_clip's two versions of it."""
    kept, whole, own, none = compare_gathers(processes)
    assert kept["encoder_error"] < EXACT
    assert kept["temperature_ratio"] == pytest.approx(1, abs=EXACT)
    assert kept["loss"] == pytest.approx(whole["loss"], abs=EXACT)
    assert whole["encoder_ratio"] == pytest.approx(1 / processes, abs=EXACT)
    assert whole["encoder_cosine"] == pytest.approx(1, abs=EXACT)
    assert whole["temperature_ratio"] == pytest.approx(1, abs=EXACT)  # so no factor mends both
    assert own["encoder_cosine"] < 0.9999
    assert none["loss"] < kept["loss"] - 0.3
    assert none["encoder_cosine"] < 0.9999


def test_one_process_needs_no_group():
    values = torch.ones(3, 2)
    with process_group() as (process, processes):
        assert (process, processes) == (0, 1)
        assert gather_rows(values) is values
        assert any_process(True)
        assert not any_process(False)
    assert not torch.distributed.is_initialized()


def test_contrastive_loss_is_info_nce_of_normalized_embeddings():
    queries, keys = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    loss = ContrastiveLoss(0.3)
    terms = loss((queries, keys))
    scores = nn.functional.cosine_similarity(queries[:, None], keys[None], dim=-1) / 0.3
    own = torch.arange(7)
    wanted = sum(nn.functional.cross_entropy(part, own) for part in (scores, scores.T)) / 2
    assert terms["loss"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert terms["nats"].item() == pytest.approx(math.log(7) - wanted.item(), rel=1e-5)
    assert terms["temperature"].item() == pytest.approx(0.3)
    assert loss({"image": queries, "text": keys})["loss"] == terms["loss"]


def test_temperature_is_learned_unless_it_is_not_and_stays_above_a_hundredth():
    queries = torch.eye(4)
    for learned in (True, False):
        loss = ContrastiveLoss(0.5, learned=learned)
        terms = loss((queries, queries))
        assert (loss.temperature.log_temperature in list(loss.parameters())) is True
        assert loss.temperature.log_temperature.requires_grad is learned
        assert terms["loss"].requires_grad is learned
    with torch.no_grad():
        loss.temperature.log_temperature.fill_(-9)
    assert loss((queries, queries))["temperature"].item() == pytest.approx(0.01)
    with pytest.raises(ValueError, match=r"temperature: .* got 0\.001"):
        ContrastiveLoss(0.001)
