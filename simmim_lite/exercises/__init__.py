"""Checks for the exercises of the notebooks.

``check("entropy", my_entropy)`` calls the learner's function on a few cases with known answers. A
wrong answer raises AssertionError with the case, the expected answer, the reason and the learner's
answer. An unfinished function prints "not done yet", so that a notebook runs from top to bottom.

Examples:
    >>> check("entropy", lambda p: None)
    entropy: not done yet. It should return H(p) in nats of probabilities p, which may be 0.
    >>> from simmim_lite.entropy import entropy
    >>> check("entropy", entropy)
    entropy: correct, 3 cases of 3.
"""

# Each module registers its exercises when it is imported.
from simmim_lite.exercises import _information, _practice, _representations  # noqa: F401
from simmim_lite.exercises._check import (
    EXERCISES as EXERCISES,
    Case as Case,
    Exercise as Exercise,
    check as check,
)
