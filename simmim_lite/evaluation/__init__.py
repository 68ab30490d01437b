"""Results beside their truth: estimators as tidy tables, and what embeddings are good for."""

from simmim_lite.evaluation._attribution import (
    Attribution as Attribution,
    deletion_curve as deletion_curve,
    gradient_times_input as gradient_times_input,
    integrated_gradients as integrated_gradients,
    occlusion as occlusion,
    randomization_table as randomization_table,
    rank_correlation as rank_correlation,
)
from simmim_lite.evaluation._calibration import (
    brier_score as brier_score,
    calibration_error as calibration_error,
    calibration_table as calibration_table,
    reliability_table as reliability_table,
)
from simmim_lite.evaluation._comparisons import (
    compare_estimators as compare_estimators,
    evaluate_bounds as evaluate_bounds,
    staircase as staircase,
)
from simmim_lite.evaluation._consistency import (
    Overlap as Overlap,
    agreement_table as agreement_table,
    kernel_alignment as kernel_alignment,
    neighbor_overlap as neighbor_overlap,
)
from simmim_lite.evaluation._efficiency import (
    deployment_table as deployment_table,
    efficiency_table as efficiency_table,
    exported as exported,
    flops as flops,
    scaling_table as scaling_table,
    weight_bytes as weight_bytes,
    with_int8_weights as with_int8_weights,
)
from simmim_lite.evaluation._few_labels import (
    draw_evenly as draw_evenly,
    label_efficiency_curve as label_efficiency_curve,
    probe_learner as probe_learner,
)
from simmim_lite.evaluation._folds import (
    cross_validate as cross_validate,
    fold_interval as fold_interval,
    grouped_folds as grouped_folds,
    shuffled_folds as shuffled_folds,
)
from simmim_lite.evaluation._generation import (
    EvaluationClassifier as EvaluationClassifier,
    RealItems as RealItems,
    coherence_table as coherence_table,
    density_and_coverage as density_and_coverage,
    distance_to_nearest as distance_to_nearest,
    frechet_distance as frechet_distance,
    generation_table as generation_table,
    spread_within_classes as spread_within_classes,
)
from simmim_lite.evaluation._intervals import (
    Interval as Interval,
    bootstrap_interval as bootstrap_interval,
    seed_interval as seed_interval,
    wilson_interval as wilson_interval,
)
from simmim_lite.evaluation._privacy import (
    augmentation_consistency as augmentation_consistency,
    membership_score as membership_score,
)
from simmim_lite.evaluation._reconstruction import (
    caption_cosine as caption_cosine,
    caption_match as caption_match,
    log_mel_error as log_mel_error,
    psnr as psnr,
    scale_invariant_snr as scale_invariant_snr,
    snr as snr,
    spectral_convergence as spectral_convergence,
    ssim as ssim,
)
from simmim_lite.evaluation._representations import (
    Retrieval as Retrieval,
    cluster_accuracy as cluster_accuracy,
    cluster_table as cluster_table,
    fit_linear_probe as fit_linear_probe,
    knn_accuracy as knn_accuracy,
    linear_probe as linear_probe,
    precision_at_k as precision_at_k,
    probe_suite as probe_suite,
    recall_at_k as recall_at_k,
    retrieval_table as retrieval_table,
)
from simmim_lite.evaluation._robustness import (
    blur as blur,
    gaussian_noise as gaussian_noise,
    mistype as mistype,
    occlude as occlude,
    robustness_area as robustness_area,
    robustness_table as robustness_table,
    salt_and_pepper as salt_and_pepper,
)
from simmim_lite.evaluation._transfer import (
    LabeledSplit as LabeledSplit,
    load_other_digits as load_other_digits,
    transfer_table as transfer_table,
)
