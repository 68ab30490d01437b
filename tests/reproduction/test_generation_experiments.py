"""The measurements of generation: correct pairs and rows, and a number for each claim."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reproduction import Setting
from reproduction.experiments import generation, generators, new_digits
from reproduction.experiments.generators import balanced, pairs_for, without
from reproduction.experiments.multimodal import Digits, load, untrained


def few() -> Digits:
    digits, words = np.arange(40) % 10, np.arange(20) % 10
    images = np.zeros((40, 28, 28), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None]
    texts = [f"caption {i} of {digit}" for i, digit in enumerate(digits)]
    return Digits(images, digits, texts, [np.full(100, w) for w in words], words)


def test_absent_digits_are_gone_from_all_modalities():
    part = without(few(), (8, 9))
    assert set(part.digits) == set(part.words) == set(range(8))
    assert [int(text.split()[-1]) for text in part.texts] == part.digits.tolist()
    assert [int(wave[0]) for wave in part.waveforms] == part.words.tolist()
    assert part.images[:, 0, 0].tolist() == [i for i in range(40) if i % 10 < 8]


@pytest.mark.parametrize("target", ["image", "speech", "text"])
def test_each_target_is_paired_with_its_own_caption_or_image_and_any_recording(target):
    data = few()
    pairs = pairs_for(data, target)
    assert next(iter(pairs.items)) == target
    drawn = pairs.indices(torch.arange(len(pairs)), torch.Generator().manual_seed(0))
    chosen = {name: rows.numpy() for name, rows in drawn.items()}
    assert (data.digits[chosen["image"]] == data.words[chosen["speech"]]).all()
    if target != "speech":  # a recording has no image of its own
        assert (chosen["image"] == chosen["text"]).all()


def test_balanced_rows_have_equally_many_of_each_digit():
    digits = np.repeat(np.arange(10), np.arange(5, 15))
    rows = balanced(digits, 4)
    assert np.bincount(digits[rows]).tolist() == [4] * 10


EXPERIMENTS = (*generation.EXPERIMENTS, *new_digits.EXPERIMENTS)


def test_claims_of_the_embedded_data_are_on_the_full_data_too_and_stricter():
    for name in ("generation", "new-digits"):
        small, large = (
            next(e for e in EXPERIMENTS if e.name == name and e.full == full)
            for full in (False, True)
        )
        of_large = {claim.id: claim for claim in large.claims}
        for claim in small.claims:
            assert (claim.at_least or 0) <= (of_large[claim.id].at_least or 0)


@pytest.mark.slow
@pytest.mark.parametrize("measure", [generation.six_directions, new_digits.new_digits])
def test_every_claim_is_measured(measure, tmp_path, monkeypatch):
    """Tiny sizes: only the code path is tested, and that fractions are at most 1."""
    tiny = generators.Size(
        classifiers=(20, 20),
        autoencoders=(5, 5),
        flows=(5, 5),
        captions=5,
        ablation=2,
        absent=(2, 5),
        per_digit=10,
        recordings=20,
        remembered=300,
    )
    model = untrained(load("train", full=False).texts, full=False, seed=0)
    for module in (generation, new_digits):
        monkeypatch.setattr(module, "SIZES", {False: tiny})
        monkeypatch.setattr(module, "embedder", lambda setting: model)
    found = measure(Setting(0, False, Path(tmp_path)))
    claims = next(e for e in EXPERIMENTS if e.measure is measure and e.full is False).claims
    assert set(found) == {claim.id for claim in claims}
    fractions = [found[claim.id] for claim in claims if claim.unit == "%"]
    assert max(fractions) <= 1
