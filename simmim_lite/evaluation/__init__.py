"""Results beside their truth: estimators as tidy tables, and what embeddings are good for."""

from simmim_lite.evaluation._comparisons import compare_estimators, evaluate_bounds, staircase
from simmim_lite.evaluation._representations import (
    Retrieval,
    cluster_accuracy,
    linear_probe,
    nearest_neighbours,
    precision_at_k,
    recall_at_k,
)

__all__ = [
    "Retrieval",
    "cluster_accuracy",
    "compare_estimators",
    "evaluate_bounds",
    "linear_probe",
    "nearest_neighbours",
    "precision_at_k",
    "recall_at_k",
    "staircase",
]
