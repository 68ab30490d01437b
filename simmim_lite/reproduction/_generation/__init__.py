"""Items of one modality from queries in another, and digits that no generator was trained on."""

from simmim_lite.reproduction._claims import Experiment
from simmim_lite.reproduction._generation._directions import claims_of_directions, six_directions
from simmim_lite.reproduction._generation._new_digits import claims_of_new_digits, new_digits

EXPERIMENTS = (
    Experiment(
        "generation",
        claims_of_directions(full=True),
        six_directions,
        seeds=3,
        full=True,
        needs=("multimodal",),
    ),
    Experiment(
        "new-digits",
        claims_of_new_digits(full=True),
        new_digits,
        seeds=3,
        full=True,
        needs=("multimodal",),
    ),
    Experiment(
        "generation",
        claims_of_directions(full=False),
        six_directions,
        full=False,
        needs=("multimodal",),
    ),
    Experiment(
        "new-digits",
        claims_of_new_digits(full=False),
        new_digits,
        full=False,
        needs=("multimodal",),
    ),
)
