"""Typical mistakes of learners: transposed, not normalized, in the wrong unit, without zeros.

``WRONG[exercise][mistake]`` is a function that the check of the exercise must reject.
"""

from wrong_answers import (
    _bounds,
    _decisions,
    _encoders,
    _entropy,
    _evaluation,
    _finance,
    _fusion,
    _generation,
    _generative_models,
    _labels,
    _language,
    _large_batches,
    _manifold,
    _masked,
    _medicine,
    _memory,
    _multimodal,
    _mutual_information,
    _start_here,
    _training,
)

WRONG = {
    name: mistakes
    for lesson in (
        _start_here,
        _entropy,
        _mutual_information,
        _bounds,
        _encoders,
        _fusion,
        _training,
        _large_batches,
        _multimodal,
        _manifold,
        _memory,
        _generative_models,
        _generation,
        _evaluation,
        _masked,
        _labels,
        _language,
        _medicine,
        _finance,
        _decisions,
    )
    for name, mistakes in lesson.WRONG.items()
}
