"""What the claims about images, speech and captions are measured with."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reproduction.claims import Setting
from reproduction.experiments import multimodal
from simmim_lite.datasets import load_speech


@pytest.fixture
def wordless(monkeypatch: pytest.MonkeyPatch) -> None:
    """One caption in the place of all, which take seconds to compute."""
    one = SimpleNamespace(texts=["a one"])
    monkeypatch.setattr(multimodal, "load_captions", lambda split, full: one)


@pytest.mark.usefixtures("wordless")
def test_a_speaker_is_on_one_side_only():
    everybody = load_speech("all", full=False)
    speaker = everybody.speakers[0]
    said = {everybody.waveforms[i].tobytes() for i in np.flatnonzero(everybody.speakers == speaker)}
    train, test = (
        multimodal.load(split, full=False, speaker=speaker) for split in ("train", "test")
    )
    assert {waveform.tobytes() for waveform in test.waveforms} == said
    assert not said & {waveform.tobytes() for waveform in train.waveforms}
    assert len(train.words) + len(test.words) == len(everybody)
    assert len(train.words) == len(train.waveforms)


@pytest.mark.usefixtures("wordless")
def test_added_voices_are_for_training_only():
    more = {split: multimodal.load(split, full=False, voices=True) for split in ("train", "test")}
    assert len(more["test"].words) == len(load_speech("test", full=False))
    own, added = load_speech("train", full=False), load_speech("all", full=False)
    assert len(more["train"].waveforms) == len(own) + len(added)
    assert (more["train"].words[len(own) :] == added.labels).all()


@pytest.mark.usefixtures("wordless")
def test_the_embedder_that_lies_there_is_taken(tmp_path: Path):
    setting = Setting(seed=3, full=False, folder=tmp_path)
    left = multimodal.untrained(["a one"], full=False, seed=3)
    with torch.no_grad():
        left.projections["image"].weight.fill_(0.5)
    left.save(tmp_path / "embedder-embedded-3.model")
    taken = multimodal.embedder(setting)
    assert (taken.projections["image"].weight == 0.5).all()


def test_clusters_are_found_in_both_modalities_at_once():
    """Three images to each recording: weights make both count alike; chance would be 0.25."""
    centers = 10 * torch.eye(10)
    noise = torch.randn(400, 10, generator=torch.Generator().manual_seed(0))
    images, recordings = centers.repeat(30, 1) + noise[:300], centers.repeat(10, 1) + noise[300:]
    of_images, of_recordings = multimodal._clusters(images, recordings)
    assert len(of_images) == 300
    assert (of_images.reshape(30, 10) == of_images[:10]).all()
    assert (of_recordings.reshape(10, 10) == of_images[:10]).all()


@pytest.mark.slow
def test_an_untrained_model_is_scored_low_and_below_the_truth():
    """Each claim is measured, and what has learned nothing does not meet those that tell."""
    held_out = multimodal.load("test", full=False)
    model = multimodal.untrained(held_out.texts, full=False, seed=0)
    scores = multimodal.score(model, held_out, held_out)
    claims = {claim.name: claim for claim in multimodal._claims(full=False)}
    assert set(scores) == set(claims) - {multimodal._SECONDS}
    missed = {name for name, value in scores.items() if value < claims[name].at_least}
    assert missed >= set(scores) - {"linear probe, images", "linear probe, recordings"}
    truth = held_out.pairing().mutual_information
    assert scores["I(image; speech)"] <= truth["image", "speech"]
    assert claims["I(image; speech)"].target == pytest.approx(truth["image", "speech"], abs=5e-4)
    assert claims["I(image; caption)"].target == pytest.approx(truth["image", "text"], abs=5e-4)
