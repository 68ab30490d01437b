"""All experiments, in the order in which they are run and reported; one file a system."""

from reproduction.claims import Experiment
from reproduction.experiments import (
    encoders,
    estimators,
    evaluation,
    fusion,
    generation,
    manifold,
    mathematics,
    memory,
    multimodal,
    new_digits,
    training,
)

EXPERIMENTS: tuple[Experiment, ...] = (
    *multimodal.EXPERIMENTS,  # whose models others need
    *manifold.EXPERIMENTS,
    *generation.EXPERIMENTS,
    *new_digits.EXPERIMENTS,
    *memory.EXPERIMENTS,
    *fusion.EXPERIMENTS,
    *evaluation.EXPERIMENTS,
    *estimators.EXPERIMENTS,
    *encoders.EXPERIMENTS,
    *mathematics.EXPERIMENTS,
    *training.EXPERIMENTS,
)
