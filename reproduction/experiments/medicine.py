"""Medicine: what fusion gains on tables of patients, leaks, and counts in blood smears.

Bounds come from an exploration with other folds, from chance or from an upper bound. A first run
with these folds had been seen when they were written down.
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.special import expit, logit
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reproduction.claims import Claim, Experiment, Setting
from reproduction.experiments.cells import blood_smears
from simmim_lite import datasets, entropy, evaluation
from simmim_lite.evaluation import Interval

NOTE = "exploration with other folds, before this experiment"
KINDS = ("red cells", "white cells", "platelets")


def _claim(key: str, name: str, truth: str, source: str = NOTE, **others: object) -> Claim:
    return Claim(id=key, name=name, truth=truth, source=source, notebook="17", **others)


_CLAIMS = (
    _claim(
        "mammography-fusion",
        "AUROC of age and written reading, 829 masses, 5 folds by equal inputs",
        "radiologist's grade alone: 0.825; exploration: 0.867",
        at_least=0.84,
    ),
    _claim(
        "mammography-gain",
        "AUROC of age and written reading minus the reading alone",
        "exploration: 0.036 to 0.067",
        at_least=0.036,
    ),
    _claim(
        "mammography-over-grade",
        "AUROC of age and written reading minus the radiologist's grade",
        "equal: 0",
        "the same patients",
        at_least=0.0,
    ),
    _claim(
        "heart-gain",
        "AUROC of clinical, exercise and imaging minus imaging alone, 270 patients",
        "exploration: 0.033 to 0.096",
        at_least=0.033,
    ),
    _claim(
        "alzheimer-gain",
        "AUROC of proteins with age, sex and genotype minus proteins alone, 333 persons",
        "equal: 0",
        "the same persons",
    ),
    _claim(
        "late-excess",
        "log loss of late fusion above that of early fusion, mammography, three modalities",
        "equal: 0 nats",
        "the same patients",
        unit="nats",
    ),
    _claim(
        "grade-nats",
        "I(grade; malignant) by counting, Miller-Madow",
        "exploration: 0.250 nats",
        unit="nats",
        at_least=0.24,
        at_most=0.26,
    ),
    _claim(
        "fusion-nats",
        "lower bound on I(age, reading; malignant)",
        "H(Y) = 0.693 nats",
        "upper bound",
        unit="nats",
        at_most=0.6927,
    ),
    _claim(
        "reading-grade-overlap",
        "redundancy minus synergy of reading and grade, from three lower bounds",
        "independent given the outcome, without overlap: 0 nats",
        "identity of notebook 05",
        unit="nats",
    ),
    _claim(
        "visits-by-visit",
        "AUROC of a random outcome, four visits a patient, folds by visit, 5 nearest neighbors",
        "0.5 for a new patient",
        "made without any information",
        at_least=0.8,
    ),
    _claim(
        "visits-by-patient",
        "the same with folds by patient",
        "0.5 for a new patient",
        "made without any information",
        at_least=0.45,
        at_most=0.55,
        target=0.5,
    ),
)
_IMAGE_CLAIMS = (
    _claim(
        "death-by-image",
        "AUROC of death from a chest X-ray, folds by image (243 images, 71 patients, 5 died)",
        "exploration: 0.861",
        at_least=0.8,
    ),
    _claim(
        "death-by-patient",
        "the same with folds by patient",
        "chance: 0.5; exploration: 0.417",
        at_most=0.55,
    ),
    _claim(
        "icu-by-image",
        "AUROC of intensive care on the day of the X-ray, folds by image",
        "chance: 0.5",
        "definition",
    ),
    _claim(
        "icu-by-patient",
        "AUROC of intensive care from the X-ray, folds by patient",
        "exploration: 0.850 (0.79 to 0.92)",
        at_least=0.79,
    ),
    _claim("icu-laboratory", "the same from sex and laboratory values", "exploration: 0.739"),
    _claim(
        "icu-fusion",
        "the same from the X-ray and the laboratory values, sum of log-odds",
        "exploration: 0.863",
    ),
    _claim("icu-gain", "the sum minus the X-ray alone, AUROC", "equal: 0", "the same patients"),
    _claim(
        "icu-shortcut",
        "the same from the kind of film and which values are missing, without any value",
        "exploration: 0.867",
    ),
    _claim(
        "smear-match",
        "exact match of the sentence of three counts, 72 test smears",
        "most frequent sentence of training: in the next line",
        "the same smears",
        unit="%",
    ),
    _claim(
        "smear-majority",
        "the same by the most frequent sentence of training",
        "upper bound: 100 %",
        "definition",
        unit="%",
    ),
    *(
        _claim(
            f"smear-{key}",
            f"mean error of the count of {kind} minus that of the training median",
            "equal: 0 cells",
            "the same smears",
            unit="cells",
        )
        for key, kind in zip(("red", "white", "platelets"), KINDS, strict=True)
    ),
    _claim(
        "leaks", "test rows with a patient or an image of training", "none: 0", "rule", at_most=0
    ),
    _claim("leaks-by-image", "the same, X-rays split by image", "found: 1", "rule", at_least=1),
)


# --- tables --------------------------------------------------------------------------------


def columns(table: datasets.Table, names: list[str]) -> np.ndarray:
    """Columns of numbers (N, columns); a code becomes one column for each of its values."""
    return pd.get_dummies(table.features[names]).to_numpy(float)


def predicted(table: datasets.Table, names: list[str]) -> np.ndarray:
    """P(label 1) (N,) of logistic regression; the penalty is chosen within each training part."""
    x, p = columns(table, names), np.empty(len(table.labels))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    strengths = {"logisticregression__C": [0.01, 0.1, 1]}
    search = GridSearchCV(model, strengths, scoring="neg_log_loss")
    for train, test in evaluation.grouped_folds(table.labels, table.groups):
        p[test] = search.fit(x[train], table.labels[train]).predict_proba(x[test])[:, 1]
    return p


def auroc(y: np.ndarray, scores: np.ndarray) -> float:
    """AUROC by ranks; of scores (N, runs) the mean over runs. 0.5 if one class is absent."""
    ones = y.sum()
    if ones in (0, len(y)):
        return 0.5
    ranks = rankdata(scores, axis=0)[y == 1].sum(axis=0)
    return float(np.mean((ranks - ones * (ones + 1) / 2) / (ones * (len(y) - ones))))


def auroc_interval(y: np.ndarray, new: np.ndarray, old: np.ndarray | None, groups) -> Interval:
    """AUROC of new scores (N,) or (N, runs), minus that of the old ones of the same rows."""
    new = new.reshape(len(y), -1)
    old = new[:, :0] if old is None else old.reshape(len(y), -1)

    def statistic(rows: np.ndarray) -> float:
        labels, first, second = np.split(rows, [1, 1 + new.shape[1]], axis=1)
        return auroc(labels[:, 0], first) - (auroc(labels[:, 0], second) if old.size else 0.0)

    data = np.hstack([y[:, None], new, old])
    return evaluation.bootstrap_interval(data, statistic=statistic, groups=groups)


def tables(setting: Setting) -> dict[str, float | Interval]:
    mammography = datasets.load_table("mammography", "all")
    grade = mammography.features["birads"].to_numpy(float)
    mammography.features["birads"] = grade.astype(int).astype(str)
    y, groups = mammography.labels, mammography.groups
    parts = mammography.modalities
    p = {
        chosen: predicted(mammography, [name for part in chosen for name in parts[part]])
        for n in (1, 2, 3)
        for chosen in combinations(parts, n)
    }
    both, reading = p["age", "reading"], p[("reading",)]
    H = entropy.sample_entropy(y)

    def nats(q: np.ndarray) -> np.ndarray:
        return H + np.log(np.where(y == 1, q, 1 - q))

    prior = np.empty(len(y))
    for train, test in evaluation.grouped_folds(y, groups):
        prior[test] = y[train].mean()
    late = expit(sum(logit(p[(part,)]) for part in parts) - 2 * logit(prior))
    overlap = nats(reading) + nats(p[("assessment",)]) - nats(p["reading", "assessment"])
    found = {
        "mammography-fusion": auroc_interval(y, both, None, groups),
        "mammography-gain": auroc_interval(y, both, reading, groups),
        "mammography-over-grade": auroc_interval(y, both, grade, groups),
        "late-excess": evaluation.bootstrap_interval(
            nats(p[tuple(parts)]) - nats(late), groups=groups
        ),
        "grade-nats": entropy.sample_mutual_information(grade.astype(int), y, "miller_madow"),
        "fusion-nats": evaluation.bootstrap_interval(nats(both), groups=groups),
        "reading-grade-overlap": evaluation.bootstrap_interval(overlap, groups=groups),
    }
    for name, best in (("heart", "imaging"), ("alzheimer", "proteins")):
        table = datasets.load_table(name, "all")
        every = predicted(table, [c for names in table.modalities.values() for c in names])
        single = predicted(table, table.modalities[best])
        found[f"{name}-gain"] = auroc_interval(table.labels, every, single, table.groups)
    return found | visits()


def visits() -> dict[str, Interval]:
    """Four visits of each of 270 patients, whose outcome is drawn without a look at them."""
    table = datasets.load_table("heart", "all")
    x = StandardScaler().fit_transform(columns(table, list(table.features)))
    patient = np.repeat(np.arange(len(x)), 4)
    areas: dict[str, list[float]] = {"visits-by-visit": [], "visits-by-patient": []}
    for seed in range(5):
        rng = np.random.default_rng(100 + seed)
        y = rng.permutation(np.arange(len(x)) % 2)[patient]
        seen = x[patient] + 0.3 * rng.standard_normal((len(patient), x.shape[1]))
        plans = (
            evaluation.shuffled_folds(y, seed=seed),
            evaluation.grouped_folds(y, patient, seed=seed),
        )
        for (_, found), plan in zip(areas.items(), plans, strict=True):
            found.append(auroc(y, out_of_fold(KNeighborsClassifier(5), seen, y, plan)))
    return {name: evaluation.seed_interval(found) for name, found in areas.items()}


def out_of_fold(model, x: np.ndarray, y: np.ndarray, plan: list) -> np.ndarray:
    p = np.empty(len(y))
    for train, test in plan:
        p[test] = model.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return p


# --- X-rays with laboratory values ---------------------------------------------------------


def xrays() -> dict[str, float | Interval]:
    """Means over five drawings of the folds, with intervals over patients."""
    images, records = datasets.load_xrays("all")
    patients = records["patient_id"].to_numpy()
    pixels = images.reshape(len(images), -1) / 255
    of_image = make_pipeline(PCA(20, random_state=0), StandardScaler(), LogisticRegression(C=0.1))
    laboratory = records.filter(like="_val").assign(male=records["sex"] == "M").astype(float)
    laboratory = laboratory.where(np.isfinite(laboratory))  # a few say "below the limit"
    film = pd.get_dummies(records["projection"]).astype(float)
    missing = pd.concat([laboratory.isna().astype(float), film], axis=1)
    of_table = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)
    )

    groups = {"patient": patients, "image": np.arange(len(patients))}

    def scores(model, x: np.ndarray, y: np.ndarray, by: str = "patient") -> np.ndarray:
        plans = [evaluation.grouped_folds(y, groups[by], seed=seed) for seed in range(5)]
        return logit(np.stack([out_of_fold(model, x, y, plan) for plan in plans], axis=1))

    died, in_icu = (records[name].to_numpy(int) for name in ("died", "in_icu"))
    found = {}
    for label, y in (("death", died), ("icu", in_icu)):
        for by in ("image", "patient"):
            p = scores(of_image, pixels, y, by)
            found[f"{label}-by-{by}"] = auroc_interval(y, p, None, patients)
    values = scores(of_table, laboratory.to_numpy(), in_icu)
    shortcut = scores(of_table, missing.to_numpy(), in_icu)
    found["icu-laboratory"] = auroc_interval(in_icu, values, None, patients)
    found["icu-fusion"] = auroc_interval(in_icu, p + values, None, patients)
    found["icu-gain"] = auroc_interval(in_icu, p + values, p, patients)
    found["icu-shortcut"] = auroc_interval(in_icu, shortcut, None, patients)
    for by, name in (("patient", "leaks"), ("image", "leaks-by-image")):
        plan = evaluation.grouped_folds(died, groups[by])
        found[name] = sum(leaking(patients[train], patients[test]) for train, test in plan)
    return found


def leaking(train: np.ndarray, test: np.ndarray) -> int:
    return len(datasets.find_leaks({"of": train}, {"of": test})["of"])


# --- blood smears --------------------------------------------------------------------------


def areas(mask: np.ndarray) -> np.ndarray:
    return np.bincount(ndimage.label(mask)[0].ravel())[1:]


def smears() -> dict[str, float | Interval]:
    """Purple components are white cells or platelets, by size; a regression counts red cells."""
    images, boxes, split = blood_smears()
    counts = np.zeros((len(images), 3), int)
    np.add.at(counts, tuple(boxes[:, :2].astype(int).T), 1)
    train, test = split != "test", split == "test"  # "val" chose the features below
    shades = ndimage.gaussian_filter(images, (0, 1, 1, 0))
    shades -= np.quantile(shades, 0.95, axis=(1, 2), keepdims=True)
    made, features = np.empty_like(counts), []
    for i, shade in enumerate(shades):
        purple = (shade[..., 0] < -30) & (shade[..., 2] - shade[..., 0] > 9)
        sizes = areas(purple)
        made[i, 1:] = (sizes > 200).sum(), ((sizes > 25) & (sizes <= 200)).sum()
        red = (shade[..., 1] < -15) & ~purple
        filled = ndimage.binary_fill_holes(red)
        distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(filled), 1)
        peaks = ndimage.label((distance == ndimage.maximum_filter(distance, 13)) & (distance > 4))
        regions = (areas(filled) > 60).sum(), peaks[1], areas(~red).size
        features.append([red.mean(), filled.mean(), *regions, purple.sum()])
    model = make_pipeline(StandardScaler(), Ridge(10)).fit(
        np.array(features)[train], counts[train, 0]
    )
    made[:, 0] = model.predict(features).round()
    found = {"leaks": leaking(images[train], images[test])}
    sentences = [" ".join(map(str, row)) for row in counts]
    majority = pd.Series(sentences)[train].mode()[0]
    found["smear-match"] = evaluation.wilson_interval((made == counts).all(axis=1)[test])
    found["smear-majority"] = evaluation.wilson_interval(np.array(sentences)[test] == majority)
    for kind, name in enumerate(("red", "white", "platelets")):
        constant = np.median(counts[train, kind])
        true = counts[test, kind]
        errors = np.abs(made[test, kind] - true) - np.abs(constant - true)
        found[f"smear-{name}"] = evaluation.bootstrap_interval(errors)
    return found


def images(setting: Setting) -> dict[str, float | Interval]:
    found, counted = xrays(), smears()
    return found | counted | {"leaks": found["leaks"] + counted["leaks"]}


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("medicine", _CLAIMS, tables, full=False),
    Experiment("medicine-images", _IMAGE_CLAIMS, images, full=True),
)
