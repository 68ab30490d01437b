"""Results beside their truth, as tidy tables: one row a measurement."""

from simmim_lite.evaluation._comparisons import compare_estimators, evaluate_bounds, staircase

__all__ = ["compare_estimators", "evaluate_bounds", "staircase"]
