"""Checks for the exercises of the notebooks.

``check("entropy", my_entropy)`` calls the learner's function on a few cases with known answers;
``check("two coins", "b")`` compares a letter or a number. A wrong answer raises `WrongAnswerError`,
whose three lines say what was expected and why. An answer that is still missing prints "not done
yet", so that a notebook runs from top to bottom.

The texts of a notebook's exercises (task, hints, reasons) are in a TOML file, their cases in a
module.

Examples:
    >>> check("entropy", lambda p: None)
    entropy: not done yet. It should return H(p) in nats of probabilities p, which may be 0.
    >>> from simmim_lite.entropy import entropy
    >>> check("entropy", entropy)
    entropy: correct, 3 cases of 3.
"""

from importlib import import_module
from pkgutil import iter_modules

from simmim_lite.exercises._check import (
    CASES as CASES,
    EXERCISES as EXERCISES,
    Case as Case,
    Exercise as Exercise,
    WrongAnswerError as WrongAnswerError,
    check as check,
    verify as verify,
)

for _module in iter_modules(__path__):  # each module registers its cases when it is imported
    import_module(f"{__name__}.{_module.name}")
