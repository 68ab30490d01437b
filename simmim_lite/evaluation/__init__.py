"""Evaluation: metrics beside their chance level, baseline or truth, with intervals, as tidy tables.

Representations: probes, retrieval, clusters, robustness, transfer, consistency over seeds.
Generation and reconstruction: coherence, Frechet distance, coverage, SSIM, SNR. Any model:
calibration, cost, attribution, privacy. Any number: 95 % intervals over items, seeds and folds.

Examples:
    >>> import numpy as np
    >>> labels = np.arange(200) % 4
    >>> noise = np.random.default_rng(0).standard_normal((200, 4))
    >>> features = np.eye(4)[labels] + 0.5 * noise
    >>> train, test = features[:100], features[100:]
    >>> linear_probe(train, labels[:100], test, labels[100:])
    0.84
    >>> correct = fit_linear_probe(train, labels[:100]).predict(test) == labels[100:]
    >>> print("{:.2f}, 95 % interval {:.2f} to {:.2f}".format(*wilson_interval(correct)))
    0.84, 95 % interval 0.76 to 0.90
    >>> precision = precision_at_k(test @ train.T, labels[100:], labels[:100], k=10)
    >>> print("{:.2f}, chance level {:.2f}, upper bound {:.2f}".format(*precision))
    0.70, chance level 0.25, upper bound 1.00
"""

from simmim_lite.evaluation._generation import (
    EvaluationClassifier as EvaluationClassifier,
    RealItems as RealItems,
    caption_match as caption_match,
    density_and_coverage as density_and_coverage,
    distance_to_nearest as distance_to_nearest,
    frechet_distance as frechet_distance,
    psnr as psnr,
    snr as snr,
    spread_within_classes as spread_within_classes,
    ssim as ssim,
)
from simmim_lite.evaluation._intervals import (
    Interval as Interval,
    bootstrap_interval as bootstrap_interval,
    cross_validate as cross_validate,
    fold_interval as fold_interval,
    grouped_folds as grouped_folds,
    seed_interval as seed_interval,
    shuffled_folds as shuffled_folds,
    wilson_interval as wilson_interval,
)
from simmim_lite.evaluation._models import (
    Attribution as Attribution,
    brier_score as brier_score,
    calibration_error as calibration_error,
    calibration_table as calibration_table,
    integrated_gradients as integrated_gradients,
    membership_score as membership_score,
    randomization_table as randomization_table,
    rank_correlation as rank_correlation,
    reliability_table as reliability_table,
)
from simmim_lite.evaluation._representations import (
    Retrieval as Retrieval,
    agreement_table as agreement_table,
    cluster_accuracy as cluster_accuracy,
    cluster_table as cluster_table,
    draw_evenly as draw_evenly,
    fit_linear_probe as fit_linear_probe,
    kernel_alignment as kernel_alignment,
    knn_accuracy as knn_accuracy,
    label_efficiency_curve as label_efficiency_curve,
    linear_probe as linear_probe,
    precision_at_k as precision_at_k,
    probe_learner as probe_learner,
    probe_suite as probe_suite,
    recall_at_k as recall_at_k,
    retrieval_table as retrieval_table,
)
from simmim_lite.evaluation._robustness import (
    LabeledSplit as LabeledSplit,
    blur as blur,
    gaussian_noise as gaussian_noise,
    mistype as mistype,
    occlude as occlude,
    robustness_area as robustness_area,
    robustness_table as robustness_table,
    salt_and_pepper as salt_and_pepper,
    transfer_table as transfer_table,
)
from simmim_lite.evaluation._tables import (
    compare_estimators as compare_estimators,
    deployment_table as deployment_table,
    flops as flops,
    staircase as staircase,
    weight_bytes as weight_bytes,
    with_int8_weights as with_int8_weights,
)
