"""All experiments, in the order in which they are run and reported."""

from simmim_lite.reproduction import (
    _encoders,
    _estimators,
    _evaluation,
    _fusion,
    _generation,
    _manifold,
    _mathematics,
    _memory,
    _multimodal,
    _training,
)
from simmim_lite.reproduction._claims import Experiment

EXPERIMENTS: tuple[Experiment, ...] = (
    *_multimodal.EXPERIMENTS,  # whose models others need
    *_manifold.EXPERIMENTS,
    *_generation.EXPERIMENTS,
    *_memory.EXPERIMENTS,
    *_fusion.EXPERIMENTS,
    *_evaluation.EXPERIMENTS,
    *_estimators.EXPERIMENTS,
    *_encoders.EXPERIMENTS,
    *_mathematics.EXPERIMENTS,
    *_training.EXPERIMENTS,
)
