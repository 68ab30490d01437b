"""Results beside their truth: estimators as tidy tables, and what embeddings are good for."""

from simmim_lite.evaluation._comparisons import compare_estimators, evaluate_bounds, staircase
from simmim_lite.evaluation._generation import (
    Judge,
    RealItems,
    coherence_table,
    density_and_coverage,
    distance_to_nearest,
    frechet_distance,
    generation_table,
    spread_within_classes,
)
from simmim_lite.evaluation._reconstruction import (
    caption_cosine,
    caption_match,
    log_mel_error,
    psnr,
    scale_invariant_snr,
    snr,
    spectral_convergence,
    ssim,
)
from simmim_lite.evaluation._representations import (
    Retrieval,
    cluster_accuracy,
    linear_probe,
    neighbour_vote,
    precision_at_k,
    read_out,
    recall_at_k,
    retrieval_table,
)
from simmim_lite.evaluation._robustness import (
    gaussian_noise,
    mistype,
    robustness_table,
    salt_and_pepper,
)

__all__ = [
    "Judge",
    "RealItems",
    "Retrieval",
    "caption_cosine",
    "caption_match",
    "cluster_accuracy",
    "coherence_table",
    "compare_estimators",
    "density_and_coverage",
    "distance_to_nearest",
    "evaluate_bounds",
    "frechet_distance",
    "gaussian_noise",
    "generation_table",
    "linear_probe",
    "log_mel_error",
    "mistype",
    "neighbour_vote",
    "precision_at_k",
    "psnr",
    "read_out",
    "recall_at_k",
    "retrieval_table",
    "robustness_table",
    "salt_and_pepper",
    "scale_invariant_snr",
    "snr",
    "spectral_convergence",
    "spread_within_classes",
    "ssim",
    "staircase",
]
