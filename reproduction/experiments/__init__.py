"""All experiments, one file for each system, in the order in which they run and are reported."""

from reproduction.claims import Experiment
from reproduction.experiments import (
    controls,
    encoders,
    estimators,
    evaluation,
    fusion,
    generation,
    manifold,
    masked,
    mathematics,
    memory,
    multimodal,
    new_digits,
    photographs,
    training,
)

EXPERIMENTS: tuple[Experiment, ...] = (
    *multimodal.EXPERIMENTS,  # first, because others load its models
    *manifold.EXPERIMENTS,
    *masked.EXPERIMENTS,
    *generation.EXPERIMENTS,
    *new_digits.EXPERIMENTS,
    *memory.EXPERIMENTS,
    *fusion.EXPERIMENTS,
    *controls.EXPERIMENTS,
    *evaluation.EXPERIMENTS,
    *photographs.EXPERIMENTS,
    *estimators.EXPERIMENTS,
    *encoders.EXPERIMENTS,
    *mathematics.EXPERIMENTS,
    *training.EXPERIMENTS,
)
