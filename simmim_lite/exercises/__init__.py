"""Checks for the notebooks' exercises: they take the learner's function and say what it should do.

``check("entropy", my_entropy)`` runs the function on a handful of cases whose answers are known.
A wrong answer is an ``AssertionError`` that names the case, what was expected and what came; an
untouched stub prints "not done yet", so that a notebook still runs from top to bottom.
"""

# Each module registers its exercises when it is imported.
from simmim_lite.exercises import (  # noqa: F401
    _bounds,
    _encoders,
    _entropy,
    _evaluation,
    _fusion,
    _generation,
    _manifold,
    _memory,
    _multimodal,
    _mutual_information,
    _start_here,
    _training,
)
from simmim_lite.exercises._check import (
    EXERCISES as EXERCISES,
    Case as Case,
    Exercise as Exercise,
    check as check,
)
