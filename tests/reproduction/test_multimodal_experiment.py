"""The measurements of images, speech and captions."""

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
    """Replace the captions, which take seconds to compute, by a single one."""
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
def test_a_saved_embedder_is_loaded(tmp_path: Path):
    setting = Setting(seed=3, full=False, folder=tmp_path)
    saved = multimodal.untrained(["a one"], full=False, seed=3)
    with torch.no_grad():
        saved.projections["image"].weight.fill_(0.5)
    saved.save(tmp_path / "embedder-embedded-3.model")
    loaded = multimodal.embedder(setting)
    assert (loaded.projections["image"].weight == 0.5).all()


def test_clusters_are_found_in_both_modalities_at_once():
    """Three images for each recording; weights give both modalities the same influence."""
    centers = 10 * torch.eye(10)
    noise = torch.randn(400, 10, generator=torch.Generator().manual_seed(0))
    images, recordings = centers.repeat(30, 1) + noise[:300], centers.repeat(10, 1) + noise[300:]
    of_images, of_recordings = multimodal._clusters(images, recordings)
    assert len(of_images) == 300
    assert (of_images.reshape(30, 10) == of_images[:10]).all()
    assert (of_recordings.reshape(10, 10) == of_images[:10]).all()


@pytest.mark.slow
def test_an_untrained_model_is_scored_low_and_below_the_truth():
    """Every claim is measured, and a model that has learned nothing does not meet the bounds."""
    test = multimodal.load("test", full=False)
    model = multimodal.untrained(test.texts, full=False, seed=0)
    scores = multimodal.score(model, test, test)
    claims = {claim.id: claim for claim in multimodal._claims(full=False)}
    assert set(scores) == set(claims) - {"training-seconds"}
    missed = {claim for claim, value in scores.items() if value < claims[claim].at_least}
    assert missed >= set(scores) - {"image-probe", "recording-probe"}
    truth = test.pairing().mutual_information
    assert scores["image-recording-nats"] <= truth["image", "speech"]
    for claim, pair in (
        ("image-recording-nats", ("image", "speech")),
        ("image-caption-nats", ("image", "text")),
    ):
        assert claims[claim].target == pytest.approx(truth[pair], abs=5e-4)
