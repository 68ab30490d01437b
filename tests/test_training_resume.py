"""Checkpoints in a folder, and resumed runs that end as if nothing had happened."""

import json
import os
import random
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from training_worker import (
    STEPS,
    Encoders,
    fingerprint,
    killed_run,
    pairs,
    plans,
    run,
    started,
    with_noise,
)

from simmim_lite.storage import CheckpointError, unpack
from simmim_lite.training import Batches, ContrastiveLoss, fit, load_weights
from simmim_lite.training._resume import CheckpointFolder


class KilledError(Exception):
    """The end of a run, in this process."""


def killed_at(batch: int):
    """The transform of the worker, which ends the run at its n-th batch."""
    left = [batch]

    def transform(values, generator):
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        return with_noise(values, generator)

    transform.__qualname__ = with_noise.__qualname__
    return transform


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))


# --- the folder ----------------------------------------------------------------------------


def test_the_last_three_are_kept(tmp_path):
    with CheckpointFolder(tmp_path) as folder:
        for step in (1, 2, 3, 10):
            folder.save(step, {"step": step})
        assert [path.name for path in folder.files()] == [
            "step-0000000002.safetensors",
            "step-0000000003.safetensors",
            "step-0000000010.safetensors",
        ]


def test_a_folder_belongs_to_one_run(tmp_path):
    with (
        CheckpointFolder(tmp_path),
        pytest.raises(ValueError, match="another run is writing"),
        CheckpointFolder(tmp_path),
    ):
        pass
    with CheckpointFolder(tmp_path):  # free again
        pass


def test_what_a_dead_run_left_half_written_is_removed(tmp_path):
    (tmp_path / "step-0000000004.safetensors.77.partial").write_bytes(b"half")
    (tmp_path / "notes.partial").write_bytes(b"not ours")
    with CheckpointFolder(tmp_path):
        assert sorted(path.name for path in tmp_path.glob("*.partial")) == ["notes.partial"]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    undisturbed = run(None, steps=20)
    with pytest.raises(KilledError):
        run(tmp_path, steps=20, transform=killed_at(14))
    newest = checkpoints(tmp_path)[-1]
    assert newest.name == "step-0000000012.safetensors"
    damage(newest)
    message = r"renamed: step-0{8}12.safetensors; resuming from step-0{9}8.safetensors$"
    with pytest.warns(UserWarning, match=message) as warned:
        assert run(tmp_path, steps=20) == undisturbed
    assert len(warned) == 1
    assert "\n" not in str(warned[0].message)
    assert (tmp_path / "step-0000000012.safetensors.damaged").exists()


def test_a_folder_of_damaged_checkpoints_is_no_fresh_start(tmp_path):
    run(tmp_path, steps=8)
    for path in checkpoints(tmp_path):
        damage(path)
    with pytest.raises(CheckpointError, match="no checkpoint is intact"):
        run(tmp_path, steps=8)


# --- resuming -----------------------------------------------------------------------------

VARIANTS = {
    "plain": {"chunk": None, "autocast": None},
    "chunks and bfloat16": {},
    "float16 with scaled gradients": {"autocast": "float16"},
    "one cycle and SGD": {"schedule": "one_cycle", "optimizer": "sgd"},
    "RMSprop at a constant rate": {"schedule": "constant", "optimizer": "rmsprop"},
    "Muon": {"optimizer": "muon"},
    "Adam": {"optimizer": "adam"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_run_ends_with_the_same_bits(variant, tmp_path):
    options = {"steps": 23, "checkpoint_every": 3} | VARIANTS[variant]
    undisturbed = run(None, **options)
    for batch in (5, 4, 7):  # an epoch has 4, so that most of these are in the middle of one
        with pytest.raises(KilledError):
            run(tmp_path, transform=killed_at(batch), **options)
    assert checkpoints(tmp_path)[-1].name > "step-0000000009"
    assert run(tmp_path, **options) == undisturbed


def test_the_scale_of_float16_is_kept(tmp_path):
    """It is too large at first; a run that began with it once more would skip steps again."""
    data = 3 * torch.randn(32, 3, generator=torch.Generator().manual_seed(0))

    def train(steps, folder):
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            model = nn.Linear(3, 3)
        options = {"autocast": "float16", "schedule": "constant", "checkpoints": folder}
        history = fit(model, large, Batches(data, 8), steps=steps, resume=True, **options)
        return fingerprint(model), history["loss"]

    undisturbed = train(12, tmp_path / "undisturbed")
    train(6, tmp_path / "run")
    assert train(12, tmp_path / "run") == undisturbed


def large(outputs, _):
    return 3 * outputs.float().square().mean()


def test_a_data_loader_resumes_too(tmp_path):
    def loader_run(folder, stop=None):
        noisy = TensorDataset(*pairs().values())

        def joined(rows):
            x, y = map(torch.stack, zip(*rows, strict=True))
            nonlocal stop
            if stop is not None and (stop := stop - 1) < 0:
                raise KilledError
            return {"x": x + torch.randn_like(x) / 10, "y": y}

        loader = DataLoader(noisy, 24, shuffle=True, collate_fn=joined)
        model, loss = Encoders(), ContrastiveLoss()
        fit(
            model,
            loss,
            loader,
            steps=11,
            checkpoints=folder,
            checkpoint_every=3,
            resume=folder is not None,
        )
        return fingerprint(model, loss)

    undisturbed = loader_run(None)
    with pytest.raises(KilledError):
        loader_run(tmp_path, stop=8)
    assert loader_run(tmp_path) == undisturbed


def test_a_finished_run_is_not_run_again(tmp_path):
    first = run(tmp_path, steps=10)
    before = {path: path.stat().st_mtime_ns for path in checkpoints(tmp_path)}
    assert run(tmp_path, steps=10, transform=killed_at(0)) == first
    assert {path: path.stat().st_mtime_ns for path in checkpoints(tmp_path)} == before


def test_a_run_at_a_constant_rate_can_be_extended(tmp_path):
    options = {"schedule": "constant", "autocast": None}
    run(tmp_path, steps=9, **options)
    assert run(tmp_path, steps=17, **options) == run(None, steps=17, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.01}, "learning_rate was 0.001, and is 0.01 now"),
        ({"steps": 12}, "steps was 8, and is 12 now"),
        ({"seed": 3}, "seed was 0, and is 3 now"),
        ({"optimizer": "adam"}, "optimizer was adamw, and is adam now"),
        ({"autocast": None}, "autocast was bfloat16, and is None now"),
        ({"transform": None}, "transform was with_noise, and is None now"),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused(change, message, tmp_path):
    run(tmp_path, steps=8)
    with pytest.raises(ValueError, match=f"resume: step-.* is of another run: {message}"):
        run(tmp_path, **{"steps": 8} | change)


def test_an_optimizer_with_other_settings_is_another(tmp_path):
    def go(momentum):
        optimizer = partial(torch.optim.SGD, momentum=momentum)
        return run(tmp_path, steps=4, optimizer=optimizer, autocast=None)

    assert go(0.5) == go(0.5)
    message = r"optimizer was SGD\(momentum=0.5\), and is SGD\(momentum=0.9\) now"
    with pytest.raises(ValueError, match=message):
        go(0.9)


def test_settings_may_be_numbers_of_numpy(tmp_path):
    run(tmp_path, steps=4, learning_rate=np.float32(0.5), warmup=np.int64(2))
    run(tmp_path, steps=4, learning_rate=0.5, warmup=2)
    with pytest.raises(ValueError, match="warmup was 2, and is 3 now"):
        run(tmp_path, steps=4, learning_rate=0.5, warmup=np.int64(3))


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    data = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))

    def train(*layers, batch_size=8):
        model = nn.Sequential(*layers)
        batches = Batches(data, batch_size)
        fit(model, mean_square, batches, steps=2, checkpoints=tmp_path, resume=True)

    train(nn.Linear(3, 3), nn.ReLU())
    for layers, message in [
        ([nn.Linear(3, 4), nn.ReLU()], r"model was \(0\): .*out_features=3.* is .*out_features=4"),
        ([nn.Linear(3, 3), nn.GELU()], r"model was \(1\): ReLU\(\), and is \(1\): GELU"),
        ([nn.Linear(3, 3), nn.ReLU(), nn.Dropout()], r"model was \), and is \(2\): Dropout"),
    ]:
        with pytest.raises(ValueError, match=message):
            train(*layers)
    with pytest.raises(ValueError, match="batch"):
        train(nn.Linear(3, 3), nn.ReLU(), batch_size=16)
    train(nn.Linear(3, 3), nn.ReLU())


def mean_square(outputs, _):
    return outputs.square().mean()


def test_an_earlier_run_is_not_overwritten(tmp_path):
    run(tmp_path, steps=4)
    with pytest.raises(ValueError, match="holds those of an earlier run; resume=True"):
        run(tmp_path, steps=4, resume=False)


def test_optimizer_state_of_a_channels_last_model_is_so_again(tmp_path):
    def train(steps):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3)).to(memory_format=torch.channels_last)
        images = torch.rand(8, 3, 5, 5, generator=torch.Generator().manual_seed(0))
        states = []
        fit(
            model,
            mean_square,
            Batches(images, 4),
            steps=steps,
            schedule="constant",
            checkpoints=tmp_path,
            resume=True,
            optimizer=lambda groups: states.append(torch.optim.Adam(groups)) or states[0],
        )
        assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
        return states[0].state[model[0].weight]["exp_avg"].stride(), fingerprint(model)

    with torch.random.fork_rng([]):
        stride, _ = train(2)
        resumed = train(4)
        shutil.rmtree(tmp_path)
        assert resumed == (stride, train(4)[1])


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")
def test_killed_ten_times_the_weights_are_the_same(tmp_path):
    folder, result = tmp_path / "run", tmp_path / "result.json"

    def attempt(folder, plan):
        process = started(killed_run, folder, result, plan)
        process.join(120)
        return process.exitcode

    assert attempt(tmp_path / "undisturbed", None) == 0
    undisturbed = json.loads(result.read_text(encoding="utf-8"))
    result.unlink()
    half_written = 0
    for plan in plans(10, seed=1):
        assert attempt(folder, plan) == -9, f"{plan} came after the end"
        half_written += len(list(folder.glob("*.partial")))
        for path in checkpoints(folder):
            unpack(path.read_bytes())  # none is unreadable
    assert half_written >= 3
    assert attempt(folder, None) == 0
    assert json.loads(result.read_text(encoding="utf-8")) == undisturbed
    assert checkpoints(folder)[-1].name == f"step-{STEPS:010d}.safetensors"
    assert not list(folder.glob("*.partial"))


def test_damage_at_random_is_seen(tmp_path):
    run(tmp_path, steps=4)
    content = checkpoints(tmp_path)[-1].read_bytes()
    draw = random.Random(0)
    for _ in range(60):
        damaged = bytearray(content)
        position = draw.randrange(len(content))
        if draw.random() < 0.5:
            damaged[position] ^= 1 << draw.randrange(8)
        else:
            del damaged[position:]
        with pytest.raises(CheckpointError):
            unpack(bytes(damaged))


def test_weights_can_be_loaded_alone(tmp_path):
    model, loss = Encoders(), ContrastiveLoss()
    fit(model, loss, Batches(pairs(), 24), steps=3, checkpoints=tmp_path)
    fresh = Encoders()
    assert fingerprint(fresh) != fingerprint(model)
    load_weights(fresh, checkpoints(tmp_path)[-1])
    assert fingerprint(fresh) == fingerprint(model)
    damage(checkpoints(tmp_path)[-1])
    with pytest.raises(CheckpointError, match=r"step-0000000003\.safetensors: damaged"):
        load_weights(fresh, checkpoints(tmp_path)[-1])


def test_numpy_numbers_as_settings_can_be_resumed(tmp_path):
    model, loss = Encoders(), ContrastiveLoss()
    options = {"chunk": np.int64(9), "epochs": np.int64(2), "checkpoints": tmp_path}
    first = fit(model, loss, Batches(pairs(), 24), **options)
    again = fit(Encoders(), ContrastiveLoss(), Batches(pairs(), 24), resume=True, **options)
    assert again.steps == first.steps
