# %% [markdown]
# # 17 · Medicine
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/17_medicine.ipynb)
#
# *Several modalities of one patient: what fusion gains, with paired intervals; missing modalities, calibration, information in nats, a leak that looks like a discovery, and a sentence from a blood smear.*
#
# **What you will learn**
#
# - to measure the gain of **fusion** with a **paired interval**;
# - what a log loss says about **mutual information**, and what counting gets wrong;
# - why a fusion can rank patients well and still give wrong **probabilities**;
# - four ways to live with a **missing modality**;
# - how a **split by image** finds skill that does not exist;
# - to turn an image into a **sentence** of counts, and to score it.
#
# **Prerequisites**: notebooks [05](05_fusion.ipynb) and [13](13_evaluation.ipynb); logistic regression and cross-validation.
#
# **In the package**: `datasets`, `evaluation`, `fusion`, `entropy`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 39 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
# <!-- /measured -->

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it: a clone, a wheel here, or GitHub
    clone = Path("..") if Path("../pyproject.toml").is_file() else None
    wheels = sorted([*Path().glob("simmim_lite-*.whl"), *Path("..").glob("simmim_lite-*.whl")])
    github = "https://github.com/simmim-lite/simmim-lite/archive/refs/heads/main.zip"
    source = clone or (wheels or [github])[-1]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--timeout=20", "--retries=1"]
    if subprocess.run([*pip, str(source)]).returncode:
        raise RuntimeError(
            f"{source} cannot be installed. Put the file simmim_lite-*.whl beside this notebook "
            "(in Colab: folder icon on the left, then upload), and run this cell again."
        )
    importlib.invalidate_caches()

# %%
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from scipy.special import expit, logit
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from simmim_lite import datasets, entropy, evaluation, exercises, figures
from simmim_lite.fusion import FUSIONS, FusedClassifier, fit_temperature
from simmim_lite.training import Batches, fit

figures.set_style()
torch.set_num_threads(1)  # the networks are small

# %% [markdown]
# ## 1. Which data, and which split?
#
# **Question.** What do we know about each patient, from which source, and can a test patient be recognized?
#
# **Data.** Three public tables of real patients. Each row has several *modalities*: groups of columns from
# one source.
#
# | table | modalities | outcome $Y = 1$ |
# |---|---|---|
# | mammography | `age`; `reading` (shape, margin and density of the mass, written down by a radiologist); `grade` (the BI-RADS grade of suspicion, 0 to 6) | malignant, by biopsy |
# | heart | `clinical` values; `exercise` (ECG, pulse); `imaging` (vessels, thallium scan) | heart disease |
# | alzheimer | `basic` (age, sex and genotype); 127 `proteins` | impaired (cognition) |
#
# The images themselves are not in these tables: a reading is text about an image. **This is no
# medical evidence, and no patient may be treated by such a model** (section 8).
#
# **Split.** The tables are small, so we use cross-validation with 5 folds. The 829 masses of the mammography
# table have only 424 different inputs (age and reading). A model could memorize inputs that stand on both
# sides of a split. So equal inputs form a *group*, and a group stands on one side. `find_leaks` compares the
# two sides. Two controls: shuffled folds, where 555 of the 829 masses leak, and one copied row that we plant.

# %%
NAMES = ("mammography", "heart", "alzheimer")
tables = {name: datasets.load_table(name, "all") for name in NAMES}
sources = {name: dict(table.modalities) for name, table in tables.items()}
sources["mammography"]["grade"] = sources["mammography"].pop("assessment")
grade = tables["mammography"].features["birads"].to_numpy()
tables["mammography"].features["birads"] = grade.astype(str)  # a code: 0 means "incomplete"
folds = {name: evaluation.grouped_folds(t.labels, t.groups) for name, t in tables.items()}


def columns(table, names):
    """Numbers (N, columns); a code becomes one column of 0 and 1 for each of its values."""
    return pd.get_dummies(table.features[names]).to_numpy(float)


def leaks(table, names, plan):
    x = columns(table, names)
    found = [datasets.find_leaks({"inputs": x[a]}, {"inputs": x[b]})["inputs"] for a, b in plan]
    return sum(len(rows) for rows in found)


# %%
for name, table in tables.items():
    inputs = [c for part, names in sources[name].items() for c in names if part != "grade"]
    shuffled = leaks(table, inputs, evaluation.shuffled_folds(table.labels))
    grouped = leaks(table, inputs, folds[name])
    x, (train, test) = columns(table, inputs), folds[name][0]
    x[test[7]] = x[train[0]]  # planted
    planted = datasets.find_leaks({"inputs": x[train]}, {"inputs": x[test]})["inputs"]
    assert grouped == 0
    assert list(planted) == [7]
    print(f"{name}: {len(x)} rows, {table.labels.sum()} with Y = 1, ", end="")
    print(f"H(Y) = {entropy.sample_entropy(table.labels):.3f} nats; ", end="")
    print(f"leaking rows: grouped {grouped}, shuffled {shuffled}; planted: row {planted[0]} found")

# %% [markdown]
# ## 2. What does fusion gain?
#
# **Question.** Do several modalities predict the outcome better than the best one alone?
#
# **Idea.** An *expert* is a classifier of one modality, here a logistic regression. *Early fusion* joins all
# columns and trains one model. *Late fusion* is the product of experts of notebook 05: it adds log-odds. Each
# of the $M$ experts contains the log-odds $b = \ln \frac{p(1)}{p(0)}$ of the outcome, so we subtract $b$ for
# all but one:
#
# $$\ell(x_1, \dots, x_M) = \sum_m \ell(x_m) - (M - 1)\, b, \qquad \ell(x) = \ln \frac{p(1 \mid x)}{p(0 \mid x)}$$
#
# This is Bayes' rule if the modalities are independent *given the outcome*.

# %%
figures.diagram("patient_fusion")
figures.show(
    "Figure 1. The heart table: early fusion (left) joins columns, late fusion (right) adds log-odds.",
    alt="Diagram. Three modalities of one patient in the middle. To the left, their columns go into one model, "
    "which gives a probability. To the right, each modality has an expert; their log-odds are added, minus "
    "the log-odds of the outcome for all but one expert, which gives a probability.",
)

# %% [markdown]
# **Formula.** Scores $s_i$ rank the patients. The *AUROC* (area under the ROC curve) is the probability
# that a patient with $Y = 1$ has a higher score than a patient with $Y = 0$, where a tie counts one half.
# With $n_1$ and $n_0$ patients and the ranks $r_i$ of all scores,
#
# $$\text{AUROC} = \frac{1}{n_1 n_0} \Big( \sum_{i: y_i = 1} r_i - \frac{n_1 (n_1 + 1)}{2} \Big)$$
#
# Chance is 0.5. The interval comes from a bootstrap over groups. For a gain, we bootstrap the *difference* of
# two AUROCs of the same resampled patients: a *paired* interval. Each patient is predicted by a model that
# did not see the patient's fold, and one AUROC ranks all folds together. Each model chooses its penalty by
# cross-validation within its training rows. The intervals cover other test patients of the same place, but no
# other folds or training sets.


# %%
def auroc(y, scores):
    ranks, ones = rankdata(scores), y.sum()
    return (ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones))


def expert():
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    C = {"logisticregression__C": [0.01, 0.1, 1]}
    return GridSearchCV(model, C, scoring="neg_log_loss")


def predict(table, names, plan):
    """P(Y = 1) for each row (N,), by models that did not see its fold."""
    x, p = columns(table, names), np.empty(len(table.labels))
    for train, test in plan:
        model = expert().fit(x[train], table.labels[train])
        p[test] = model.predict_proba(x[test])[:, 1]
    return p


# %%
early, late, prior = {}, {}, {}
for name, table in tables.items():
    y, parts = table.labels, sources[name]
    prior[name] = np.empty(len(y))
    for train, test in folds[name]:
        prior[name][test] = y[train].mean()
    for M in range(1, len(parts) + 1):
        for chosen in combinations(parts, M):
            joined = [column for part in chosen for column in parts[part]]
            early[name, chosen] = predict(table, joined, folds[name])
            log_odds = sum(logit(early[name, (part,)]) for part in chosen)
            late[name, chosen] = expit(log_odds - (M - 1) * logit(prior[name]))

y, p = tables["heart"].labels, late["heart", tuple(sources["heart"])]
exercises.verify("AUROC as in scikit-learn", np.isclose(auroc(y, p), roc_auc_score(y, p)))
first = folds["heart"][0][1]  # patients of the first fold
rate = prior["heart"][first[0]]
experts = {part: early["heart", (part,)][first] for part in sources["heart"]}
experts = {m: torch.tensor(np.stack([1 - q, q], axis=1)).log() for m, q in experts.items()}
fused = FUSIONS["experts"](list(experts), 2, prior=[1 - rate, rate])(experts)[:, 1].exp().numpy()
exercises.verify("late fusion as in the package", np.allclose(fused, p[first], atol=1e-5))

# %% [markdown]
# ### Exercise 1 · ★ · 1 minute · predict
#
# The grade of the radiologist has an AUROC of 0.825. A logistic regression sees only the age, and the shape,
# margin and density that the radiologist wrote down. Its AUROC is (a) lower, because the radiologist saw the
# image and the model did not; (b) equal within the interval, because reading and grade come from the same
# person; (c) higher, and the paired interval does not contain 0.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("model and radiologist", my_prediction_1)


# %%
def interval(name, statistic, *scores):
    """Bootstrap interval, over groups, of a statistic of labels and scores."""
    table = tables[name]
    data = np.column_stack([table.labels, *scores])
    return evaluation.bootstrap_interval(
        data, statistic=lambda rows: statistic(*rows.T), groups=table.groups
    )


every = {name: tuple(parts) for name, parts in sources.items()}
rows = [(name, (part,)) for name in NAMES for part in sources[name]]
rows += [("mammography", ("age", "reading")), *every.items()]
rows = sorted(rows, key=lambda row: (NAMES.index(row[0]), len(row[1])))
area = {}
for name, chosen in rows:
    scores = grade if chosen == ("grade",) else early[name, chosen]
    area[f"{name}: {' + '.join(chosen)}"] = interval(name, auroc, scores)
area = pd.DataFrame(area, index=["AUROC", "low", "high"]).T
print(area.to_string(float_format="{:.3f}".format))

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.8))
place = -np.arange(len(area))
joint = area.index.str.contains("+", regex=False)
for chosen, marker, label in ((~joint, "o", "one modality"), (joint, "s", "early fusion")):
    some = area[chosen]
    errors = [some["AUROC"] - some["low"], some["high"] - some["AUROC"]]
    axes.errorbar(some["AUROC"], place[chosen], xerr=errors, fmt=marker, capsize=3, label=label)
axes.legend(loc=(0.06, 0.44))
axes.set_yticks(place, area.index)
axes.axvline(0.5, **figures.TRUTH)
axes.text(0.52, -0.5, "chance", va="center", backgroundcolor="white")
axes.set(xlabel="AUROC with 95 % interval", xlim=(0.48, 1.0))
figures.show(
    "Figure 2. Fusion is best for mammography and heart. For alzheimer it equals the proteins alone.",
    alt="Points with intervals: the AUROC of single modalities (circles) and of early fusion (squares) for three "
    "tables, on an axis from 0.5 (dashed: chance) to 1. Fusions of mammography and heart lie right of their single modalities; the fusion "
    "of alzheimer lies where the proteins lie.",
)


# %%
def gain(y, new, old):
    return auroc(y, new) - auroc(y, old)


both = early["mammography", ("age", "reading")]
best = {"mammography": "reading", "heart": "imaging", "alzheimer": "proteins"}
gains = {
    "age + reading, over reading": interval(
        "mammography", gain, both, early["mammography", ("reading",)]
    ),
    "age + reading, over grade": interval("mammography", gain, both, grade),
}
for name, chosen in every.items():
    gains[f"{name}, all, over {best[name]}"] = interval(
        name, gain, early[name, chosen], early[name, (best[name],)]
    )
    gains[f"{name}, late over early"] = interval(
        name, gain, late[name, chosen], early[name, chosen]
    )
gains = pd.DataFrame(gains, index=["gain", "low", "high"]).T
print(gains.round(3).to_string())

# %% [markdown]
# For mammography and heart, fusion gains: no interval of the gain over the best single modality contains 0.
# For alzheimer, we measure no gain over the proteins alone. (The best modality was selected on the same
# patients, so the gains look rather too small.) The AUROCs of early and late fusion differ by at most 0.004.
#
# Age and reading have a higher AUROC than the grade. This does *not* say that a model is better than a
# radiologist, who wrote the reading. All these masses went to biopsy, and the grade was given to decide about
# it, not to rank the patients: more than a quarter of the pairs have equal grades, and a tie counts one half.
# For consecutive mammograms, Chhatwal et al. (2009) found an AUROC of 0.939 for the grades, 0.927 for a model
# of the descriptors, and 0.963 for both.
#
# ## 3. How many nats is that?
#
# **Question.** How much information do the modalities contain about the outcome?
#
# **Formula.** A model gives $q(y \mid x)$. Its *log loss* is $-\mathbb{E} \ln q(y \mid x)$ on new patients.
# As in notebook [05](05_fusion.ipynb), the mean KL divergence between $p(y \mid x)$ and $q(y \mid x)$ is
# never negative, so
#
# $$I(X; Y) = H(Y) - H(Y \mid X) \ge H(Y) + \mathbb{E} \ln q(y \mid x)$$
#
# $I(X; Y)$ cannot exceed $H(Y)$. A modality with few values, such as the grade, can also be counted, with the
# plug-in estimate of notebook 02. But counts of rare values look informative even if they are not. As a
# control, we count again with permuted labels, where the truth is 0.


# %%
def information(name, p):
    """H(Y) + ln q(y | x) of each patient (N,); the mean is the lower bound."""
    y = tables[name].labels
    return entropy.sample_entropy(y) + np.log(np.where(y == 1, p, 1 - p))


def mean_interval(name, values):
    return evaluation.bootstrap_interval(values, groups=tables[name].groups)


nats = {}
for label, (name, chosen) in zip(area.index, rows, strict=True):
    nats[label] = mean_interval(name, information(name, early[name, chosen]))
nats = pd.DataFrame(nats, index=["nats", "low", "high"]).T
nats["H(Y)"] = [entropy.sample_entropy(tables[name].labels) for name, _ in rows]
print(nats.round(3).to_string())
exercises.verify("every interval is below H(Y)", (nats["high"] < nats["H(Y)"]).all())

# %%
features, y = tables["mammography"].features, tables["mammography"].labels
decade = (features["age"] // 10).astype(str)
words = features[["shape", "margin", "density"]].astype(str).agg("-".join, axis=1)
symbols = {"grade": features["birads"], "reading": words}
symbols["decade of age + reading"] = decade + "-" + words
symbols["year of age + reading"] = features["age"].astype(str) + "-" + words
generator = np.random.default_rng(0)
counted = {}
for label, x in symbols.items():
    methods = {m: entropy.sample_mutual_information(x, y, m) for m in ("plug_in", "miller_madow")}
    shuffled = [entropy.sample_mutual_information(x, generator.permutation(y)) for _ in range(20)]
    counted[label] = {"values": x.nunique(), **methods, "plug_in, permuted": np.mean(shuffled)}
print(pd.DataFrame(counted).T.round(3).to_string())
exercises.verify("the grade is counted well", counted["grade"]["plug_in, permuted"] < 0.01)

# %% [markdown]
# By counting, the grade contains about 0.25 nats, of at most 0.693. With the year of age, the plug-in
# estimate is 0.51 nats. It looks like twice the grade, but permuted labels reach 0.34 nats: the bias of
# counting 424 values in 829 rows. The Miller-Madow correction removes only a small part of it. The bound
# needs no correction, because it is measured on new patients. For age and reading it is 0.24 nats, with an
# interval from 0.20. That is *not* above the grade: a higher AUROC need not mean more information.
#
# ## 4. Can we trust the probabilities?
#
# **Question.** Late fusion ranks as well as early fusion. Are its probabilities as good?
#
# ### Exercise 2 · ★ · 1 minute · predict
#
# By mistake, a hospital gives the *same* modality to late fusion twice. What happens to AUROC and to the
# probabilities? (a) Both stay the same. (b) The AUROC stays the same, but the probabilities move
# too far from $p(1)$, toward 0 or 1. (c) Both become worse.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("one modality twice", my_prediction_2)

# %% [markdown]
# **Idea.** If two modalities repeat each other, late fusion counts the evidence twice. A *temperature*
# divides all log-odds by one number, which repairs a part. `fit_temperature` fits it on training rows. (A
# network needs rows that it did not see.)
#
# **Formula.** The *calibration error* (notebook 13) is the mean absolute difference of confidence and
# accuracy over bins. Even for perfect probabilities it is above 0, by chance: then `baseline` is its mean,
# and it exceeds `baseline_95` one time in twenty. The *Brier score* is the mean squared distance of both
# probabilities from the outcome, (1, 0) or (0, 1).


# %%
def tempered(name):
    """Late fusion (N,) with log-odds divided by a temperature of the training rows."""
    y, parts, p = tables[name].labels, sources[name], np.empty(len(tables[name].labels))
    for train, test in folds[name]:
        seen = [predict(tables[name], part, [(train, train)])[train] for part in parts.values()]
        log_odds = sum(map(logit, seen)) - (len(parts) - 1) * logit(y[train].mean())
        logits = torch.tensor(np.stack([np.zeros(len(log_odds)), log_odds], axis=1))
        temperature = fit_temperature(logits, torch.tensor(y[train]))
        p[test] = expit(logit(late[name, every[name]][test]) / temperature)
    return p


probabilities = {}
for name in ("mammography", "heart"):
    found = {"early": early[name, every[name]], "late": late[name, every[name]]}
    found["late, tempered"] = tempered(name)
    probabilities[name] = {key: np.stack([1 - p, p], axis=1) for key, p in found.items()}
    scores = evaluation.calibration_table(probabilities[name], tables[name].labels)
    scores = scores.drop(columns=["accuracy", "confidence"]).rename(columns={"nats": "log loss"})
    print(name, scores.round(3).to_string(), sep="\n")

# %%
figure, axes = plt.subplots(figsize=(4.6, 3.6))
labels = tables["mammography"].labels
for (key, p), marker in zip(probabilities["mammography"].items(), "os^", strict=True):
    bins = evaluation.reliability_table(p, labels, bins=6)
    axes.plot(bins["confidence"], bins["accuracy"], marker + "-", label=key)
axes.plot([0.5, 1], [0.5, 1], label="calibrated", **figures.TRUTH)
axes.set(xlabel="confidence", ylabel="accuracy")
axes.legend()
figures.show(
    "Figure 3. Mammography: late fusion is too confident. A temperature repairs most of it.",
    alt="Accuracy against confidence from 0.5 to 1 in six bins. Early fusion and late fusion with a temperature "
    "lie near the dashed diagonal; late fusion lies below it.",
)

# %% [markdown]
# For mammography, the calibration error of late fusion is far above the range of perfect probabilities.
# Reading and grade were counted as two independent opinions, but they repeat each other (first appendix).
# One number, the temperature, repairs this. For heart, the errors stay within this range. The AUROC cannot
# show this, because it uses only the order of the patients.
#
# ## 5. What if a modality is missing?
#
# **Question.** Another hospital has no imaging. What now?
#
# **Idea.** Four ways. `own model`: train one for each combination of modalities, $2^M - 1$ models. `mean`:
# fill the missing columns with their mean in training. `late`: leave out the experts of missing modalities.
# `dropped`: one network with the concatenation fusion of notebook 05, trained with modalities that are
# dropped at random (`drop=0.5`). Its settings (200 steps, a learning rate of 0.005, a weight decay of 1)
# were chosen on another table, `credit`.


# %%
def network(table, parts, train, seed=0):
    """A concatenation network trained with dropped modalities, and the inputs of all rows."""
    inputs = {part: columns(table, names) for part, names in parts.items()}
    width = max(x.shape[1] for x in inputs.values())
    for part, x in inputs.items():
        scaled = torch.tensor(StandardScaler().fit(x[train]).transform(x)).float()
        inputs[part] = torch.nn.functional.pad(scaled, (0, width - x.shape[1]))
    fusion = FUSIONS["concatenation"](list(parts), width, seed=seed)
    model = FusedClassifier(fusion, 2, drop=0.5, seed=seed)
    data = {part: x[train] for part, x in inputs.items()}
    batches = Batches(data | {"label": torch.tensor(table.labels[train])}, 64, seed=seed)
    options = {"learning_rate": 5e-3, "weight_decay": 1.0, "warmup": 20, "progress": False}
    fit(model, model.loss, batches, steps=200, seed=seed, device="cpu", **options)
    return model, inputs


# %%
heart, parts = tables["heart"], sources["heart"]
patterns = [chosen for name, chosen in early if name == "heart"]
blocks = [columns(heart, names) for names in parts.values()]
x, owner = np.hstack(blocks), np.repeat(list(parts), [block.shape[1] for block in blocks])
mean = {chosen: np.empty(len(x)) for chosen in patterns}
dropped = {chosen: np.empty(len(x)) for chosen in patterns}
for train, test in folds["heart"]:
    model = expert().fit(x[train], heart.labels[train])
    trained, inputs = network(heart, parts, train)
    for chosen in patterns:
        filled = np.where(np.isin(owner, chosen), x[test], x[train].mean(axis=0))
        mean[chosen][test] = model.predict_proba(filled)[:, 1]
        batch = {part: inputs[part][test] for part in chosen}
        dropped[chosen][test] = trained.predict(batch)[:, 1].exp().numpy()

# %%
ways = {"own model": {}, "mean": mean, "late": {}, "dropped": dropped}
for chosen in patterns:
    ways["own model"][chosen], ways["late"][chosen] = early["heart", chosen], late["heart", chosen]
lines = {" + ".join(chosen): {} for chosen in patterns[::-1]}
for way, found in ways.items():
    for chosen, p in found.items():
        cell = f"{auroc(heart.labels, p):.3f} / {information('heart', p).mean():.3f}"
        lines[" + ".join(chosen)][way] = cell
print("present modalities: AUROC / nats\n" + pd.DataFrame(lines).T.to_string())
one_missing = [chosen for chosen in patterns if len(chosen) == 2]
values = {
    way: sum(information("heart", found[chosen]) for chosen in one_missing) / 3
    for way, found in ways.items()
}
pairs = [(way, "own model") for way in ("mean", "late", "dropped")] + [("dropped", "late")]
for way, other in pairs:
    found = mean_interval("heart", values[way] - values[other])
    print(f"{way} - {other}: {found.value:.3f} nats  [{found.low:.3f}, {found.high:.3f}]")

# %% [markdown]
# The own models need $2^3 - 1 = 7$ trainings. With one modality missing, filling with the mean loses 0.012
# nats against them: the model still reads the mean as a measurement. Leaving out experts costs nothing that
# we can measure, and it needs three trainings for all seven rows. The network with dropped modalities needs
# one training, but loses 0.014 nats against late fusion.
#
# ## 6. Is the skill real, or did the split leak?
#
# **Question.** What happens if images of one patient stand on both sides of a split?
#
# **Example with known truth (made).** The patients are the 270 rows of the heart table. Each patient gets
# four visits: the row of the patient, with new noise. The outcome of each patient is drawn by chance, with
# equal frequencies. So for a new patient, the true AUROC of any model is 0.5. We split by visit and by
# patient, for 5 nearest neighbors and logistic regression.


# %%
def visits(seed):
    rng = np.random.default_rng(seed)
    outcome = rng.permutation(np.arange(len(x)) % 2)  # drawn without a look at x
    patient = np.repeat(np.arange(len(x)), 4)
    scaled = StandardScaler().fit_transform(x)[patient]
    return scaled + 0.3 * rng.standard_normal(scaled.shape), outcome[patient], patient


def out_of_fold(model, x, y, plan):
    p = np.empty(len(y))
    for train, test in plan:
        p[test] = model.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return auroc(y, p)


# %%
found = {}
for seed in range(5):
    rows_of_visits, outcome, patient = visits(seed)
    plans = {"by visit": evaluation.shuffled_folds(outcome, seed=seed)}
    plans["by patient"] = evaluation.grouped_folds(outcome, patient, seed=seed)
    for split, plan in plans.items():
        for model in (KNeighborsClassifier(5), LogisticRegression(max_iter=1000)):
            key = (type(model).__name__, split)
            found.setdefault(key, []).append(out_of_fold(model, rows_of_visits, outcome, plan))
for (model, split), areas in found.items():
    mean_area = evaluation.seed_interval(areas)
    print(
        f"{model:22} {split:10} {mean_area.value:.3f} [{mean_area.low:.3f}, {mean_area.high:.3f}]"
    )
for split, plan in plans.items():
    train, test = plan[0]
    sides = [{"patient": patient[a], "inputs": rows_of_visits[a]} for a in (train, test)]
    leaking = {key: len(rows) for key, rows in datasets.find_leaks(*sides).items()}
    print(f"{split}: leaking rows of {len(test)} in the first fold: {leaking}")

# %% [markdown]
# Split by patient, no model is better than chance. Split by visit, 5 nearest neighbors find a skill that does
# not exist: they recognize the patient, and repeat the outcome of the other visits. Logistic regression does
# this less well. The search for equal inputs finds no leak, because no two visits are equal. You must know
# which rows belong to one patient. (For the masses of mammography, this is not recorded.)
#
# **Real X-rays.** 243 chest X-rays of 71 patients with COVID-19 (Hannover; found in `SIMMIM_DATA`, see the
# [datasheet](../data/README.md)). Two labels: died (5 patients, at any time), and in intensive care on the
# day of the X-ray. The model is a logistic regression on 20 principal components of the pixels.
#
# The [stored result](../reproduction/results/medicine.md) (mean over five drawings of the folds, intervals
# over patients):
#
# | AUROC | split by image | split by patient |
# |---|---|---|
# | died, from the X-ray | 0.870 [0.531, 0.924] | 0.463 [0.333, 0.639] |
# | in intensive care, from the X-ray | 0.896 [0.831, 0.947] | 0.892 [0.823, 0.942] |
# | ... from sex and laboratory values | | 0.727 [0.605, 0.807] |
# | ... from both, sum of log-odds | | 0.897 [0.831, 0.937] |
# | ... from the kind of film, and *which* values are missing | | 0.841 [0.723, 0.904] |
#
# Split by image, death seems predictable. Split by patient, no skill can be measured: the label is constant
# for a patient, and the images of a patient are alike. (With 5 deaths, both intervals are wide.) For
# intensive care the split hardly matters, and laboratory values add no measurable gain. The last row warns:
# the kind of film and the gaps of the table, without any measured value, are almost as good. In intensive
# care, all films are taken from the front, as in bed, and other values are measured. The model may recognize
# the ward instead of the disease (DeGrave et al. 2021 found such shortcuts in published models).
#
# ## 7. Can a scan become a sentence?
#
# **Question.** A sentence about a scan is easy to write. Is it *true*?
#
# **Data (made).** We found no scans with reports under an open license. We draw blood smears: 8 to 20 red
# cells, 0 to 2 white cells and 0 to 3 platelets, each number equally likely. Red cells may overlap a
# little. The report is a sentence of the three counts.
#
# **Formula.** The sentence is a function of the image, so $I(\text{image}; \text{sentence}) =
# H(\text{sentence}) = \ln (13 \cdot 3 \cdot 4) = \ln 156 = 5.05$ nats. *Exact match* is the fraction of
# images whose whole sentence is correct. The best constant sentence has $1/156$; the upper bound is 1.


# %%
ROWS, COLUMNS = np.mgrid[:96, :128]
KINDS = {  # radius in pixels, and color
    "platelet": ((2, 3), (120, 90, 190)),
    "white cell": ((13, 16), (95, 70, 170)),
    "red cell": ((7, 10), (205, 130, 135)),
}


def sentence(counts):
    names = zip(counts, ("red cell", "white cell", "platelet"), strict=True)
    return ", ".join(f"{n} {name}" + ("" if n == 1 else "s") for n, name in names)


# %%


def smear(rng):
    """A drawn image (96, 128, 3), and its numbers of red cells, white cells and platelets."""
    counts = rng.integers([8, 0, 0], [21, 3, 4])
    image, drawn = np.full((96, 128, 3), 235.0), []
    for kind, count in zip(KINDS, counts[::-1], strict=True):
        (low, high), color = KINDS[kind]
        while count:
            r = rng.uniform(low, high)
            y, x = rng.uniform(r, 96 - r), rng.uniform(r, 128 - r)
            nearest = [0.75 if kind == other == "red cell" else 1.05 for *_, other in drawn]
            apart = [np.hypot(y - b, x - a) / (r + s) for b, a, s, _ in drawn]
            if np.all(np.array(apart) > nearest):
                image[np.hypot(ROWS - y, COLUMNS - x) <= r] = color
                drawn.append((y, x, r, kind))
                count -= 1
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255), counts


# %% [markdown]
# **Methods.** Purple pixels are white cells (large components) or platelets (small ones). For the red cells
# we compare three counts. `components`: connected regions of red pixels. `area`: all red pixels, divided by
# the mean area of a red cell in 100 other smears. `peaks`: the distance of each red pixel to the nearest
# pixel that is not red mostly has one maximum for each disk, even if disks touch. The sizes were chosen on
# other smears, too.


# %%
def areas(mask):
    return np.bincount(ndimage.label(mask)[0].ravel())[1:]


def peaks(mask):
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    return ndimage.label((distance == ndimage.maximum_filter(distance, 9)) & (distance > 4))[1]


def read(image, cell_area):
    """Three counts of each kind, one for each way to count red cells: {way: (red, white, small)}."""
    purple = image[..., 0] < 160
    red = (image[..., 1] < 180) & ~purple
    sizes = areas(purple)
    others = ((sizes > 200).sum(), ((sizes > 5) & (sizes <= 200)).sum())
    ways = {"components": (areas(red) > 50).sum(), "area": round(red.sum() / cell_area)}
    ways["peaks"] = peaks(red)
    return {way: (int(count), *map(int, others)) for way, count in ways.items()}


# %%
known = [smear(np.random.default_rng((1, i))) for i in range(100)]
new = [smear(np.random.default_rng((2, i))) for i in range(300)]
red_pixels = sum(((image[..., 1] < 180) & (image[..., 0] >= 160)).sum() for image, _ in known)
cell_area = red_pixels / sum(counts[0] for _, counts in known)
reports = [read(image, cell_area) for image, _ in new]
truth = [sentence(counts) for _, counts in new]
majority = pd.Series([sentence(counts) for _, counts in known]).mode()[0]
exact = {"majority sentence": np.array([majority == true for true in truth])}
for way in reports[0]:
    exact[way] = np.array(
        [sentence(report[way]) == true for report, true in zip(reports, truth, strict=True)]
    )
images = [np.stack([image for image, _ in some]) for some in (known, new)]
images[1][5] = images[0][0]  # planted
leak = datasets.find_leaks({"image": images[0]}, {"image": images[1]})["image"]
exercises.verify("the planted leak is the only one", list(leak) == [5])
for way, correct in exact.items():
    found = evaluation.wilson_interval(correct)
    print(f"{way:18} exact match {found.value:.3f}  [{found.low:.3f}, {found.high:.3f}]")

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2))
wrong = int(np.flatnonzero(~exact["peaks"])[0])
for panel, i in zip(axes, (0, wrong), strict=True):
    panel.imshow(new[i][0].astype(np.uint8))
    panel.set_title(f"true: {truth[i]}\npeaks: {sentence(reports[i]['peaks'])}", fontsize=8)
    panel.set_axis_off()
figures.show(
    "Figure 4. Two drawn smears with their true sentences. Right: one that is read incorrectly.",
    alt="Two images with pink disks (red cells), large purple disks (white cells) and small purple dots "
    "(platelets). Above each image stand the true sentence and the sentence of the method peaks.",
)

# %% [markdown]
# `components` fails because cells touch. `peaks` reads most smears correctly. A report needs such a strict
# score, because almost correct text is easily believed.
#
# **Real smears.** In 364 real images (BCCD, in `SIMMIM_DATA`), people drew boxes around cells. A similar
# program ([stored result](../reproduction/results/medicine.md)) reads 4.17 % of 72 test sentences correctly,
# with the interval [1.43, 11.55]. The most frequent sentence of the training images has 5.56 %. So the
# program shows no skill: neither its sentences nor any of its three counts are measurably better than a
# constant. A likely reason: many red cells have no box, and an image does not show which. The reference must
# be true before a score means anything.
#
# ## 8. What is none of this?
#
# **Question.** May a doctor use one of these models? No.
#
# - Who is in the data? Mammography: masses that went to biopsy, so almost half are malignant; in a
#   screening it is a small fraction. Heart and X-rays: one clinic each. Probabilities of one population are
#   wrong in another.
# - How many? The intervals say nothing about another hospital. That needs *external validation* there.
# - What is known, and when? Grade 6 means "already proven malignant". Of nine such rows, two are
#   labeled benign.
# - What for? An AUROC is no decision. A decision weighs a missed tumor against a needless biopsy
#   (exercise 6), and must then be tested in a trial.
#
# ## What the article gets wrong
#
# The first article (section 7.3.3) names a study, "SimMIM in Healthcare", in which fusion raised the accuracy
# of a prediction. It gives no authors, data or numbers, and we found no such study. A gain must be stated
# over the best single modality, paired, on new patients: here two tables have one, the third does not. The
# second article (section 3.1.3) describes a report of a CT scan: "several nodules in the lungs, two larger
# than 1 cm". It has no word about how such a sentence is checked. And no fusion has more nats than
# $I(X_1, \dots, X_M; Y)$.
#
# ## Appendix: Do the modalities repeat each other?
#
# As in notebook 05, $I(A; Y) + I(B; Y) - I(A, B; Y)$ is *redundancy minus synergy*. We insert the
# three bounds. A difference of bounds is not a bound, so this is only an estimate.


# %%
repeated = {}
for name, parts in sources.items():
    for a, b in combinations(parts, 2):
        alone = information(name, early[name, (a,)]) + information(name, early[name, (b,)])
        values = alone - information(name, early[name, (a, b)])
        repeated[f"{name}: {a}, {b}"] = mean_interval(name, values)
repeated = pd.DataFrame(repeated, index=["redundancy - synergy", "low", "high"]).T
print(repeated.round(3).to_string())
most = repeated.index[repeated["redundancy - synergy"].argmax()]
exercises.verify("reading and grade repeat most", most == "mammography: reading, grade")

# %% [markdown]
# In mammography, reading and grade repeat each other most. A likely reason: one person looked at one image,
# and the age does not come from it.
#
# ## Appendix: X-rays on this machine
#
# If `SIMMIM_DATA` names a folder with the X-rays, this cell measures two rows of the table of section 6
# again, with one drawing of the folds.


# %%
def xray_area(images, y, plan):
    flat = images.reshape(len(images), -1) / 255
    model = make_pipeline(
        PCA(20, random_state=0), StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)
    )
    return out_of_fold(model, flat, y, plan)


try:
    images, records = datasets.load_xrays("all")
except datasets.DataError:
    print("The X-rays are not on this machine. Section 6 has the stored result.")
else:
    for name in ("died", "in_icu"):
        y = records[name].to_numpy(int)
        by_image = xray_area(images, y, evaluation.shuffled_folds(y))
        by_patient = xray_area(images, y, evaluation.grouped_folds(y, records["patient_id"]))
        print(f"{name}: by image {by_image:.3f}, by patient {by_patient:.3f}")

# %% [markdown]
# ## Recap
#
# - Fusion gained for mammography and heart, not for alzheimer (paired intervals over groups).
# - $H(Y)$ minus the log loss is a lower bound on the information. A count of many rare values is not.
# - Adding log-odds ranks well, but is too confident if modalities repeat each other.
# - If a modality is missing, leave out its expert, or train with dropped modalities.
# - All rows of a patient stand on one side of the split. A search for equal rows cannot check this.
# - None of this is medical evidence.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/17_medicine.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/17_medicine.ipynb).
#
# ### Exercise 3 · ★★ · 3 minutes · derive
#
# An expert has log-odds $\ell$ for a patient, and the outcome has log-odds $b$. The same expert is given to
# late fusion $M$ times. Start from the formula of section 2 and derive the probability of $Y = 1$ that late
# fusion returns. For which $\ell$ does $M$ not matter?


# %% tags=["exercise"]
def my_probability(log_odds, b, M):
    """Return P(Y = 1) of late fusion for M experts with log_odds each; the outcome has b."""
    # your code


exercises.check("copies of an expert", my_probability)

# %% [markdown]
# ### Exercise 4 · ★★ · 2 minutes · find the bug
#
# This program looks for a small set of proteins. Even with random labels, its AUROC is 0.6 to 0.7. Which line
# is wrong?
#
# ```python
# 1  x, y = columns(table, table.modalities["proteins"]), table.labels
# 2  size = np.abs(np.corrcoef(x.T, y)[-1, :-1])     # correlation with the label
# 3  chosen = np.argsort(size)[-10:]                 # ten best proteins
# 4  p = np.empty(len(y))
# 5  for train, test in evaluation.grouped_folds(y, table.groups):
# 6      model = expert().fit(x[train][:, chosen], y[train])
# 7      p[test] = model.predict_proba(x[test][:, chosen])[:, 1]
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "7"

exercises.check("ten best proteins", my_wrong_line)

# %% [markdown]
# ### Exercise 5 · ★ · 1 minute · choose
#
# A report says: "From 2,000 X-rays of 150 patients we predict who will recover. In 10 random folds of the
# images, AUROC is 0.97 [0.96, 0.98]." What do you ask first? (a) Is the network large enough? (b) Are all
# images of a patient in one fold? (c) Is the interval a Wilson interval?

# %% tags=["exercise"]
my_question = None  # "a", "b" or "c"

exercises.check("two thousand images", my_question)

# %% [markdown]
# ### Exercise 6 · ★★★ · 4 minutes · function
#
# A biopsy is done if $p \ge t$. The threshold $t$ says how many needless biopsies one found tumor is worth:
# $(1 - t) / t$. The *net benefit* (Vickers & Elkin 2006) counts found tumors, minus needless biopsies in
# this unit, for each patient:
#
# $$\text{net benefit} = \frac{\#\{p_i \ge t,\, y_i = 1\}}{N} - \frac{\#\{p_i \ge t,\, y_i = 0\}}{N} \cdot \frac{t}{1 - t}$$
#
# Return the net benefit of the model *minus* that of the better one of two simple rules: biopsy for all,
# biopsy for none. A model with a difference below 0 does harm.


# %% tags=["exercise"]
def my_gain_in_benefit(y, p, t):
    """Return the net benefit of p (N,) for labels y (N,) above the better simple rule."""
    # your code


exercises.check("net benefit", my_gain_in_benefit)

# %% [markdown]
# ## What to try next
#
# - Draw `my_gain_in_benefit` against $t$ for early and late fusion of section 4.
# - Repeat section 2 with other folds (`seed=1`). How much do the gains change, compared with their intervals?
# - Give the visits of section 6 less noise, or more. At which noise does the leak disappear?
#
# ## References
#
# - Elter, M., Schulz-Wendtland, R., & Wittenberg, T. (2007). The prediction of breast cancer biopsy outcomes using two CAD approaches that both emphasize an intelligible decision process. https://doi.org/10.1118/1.2786864
# - Detrano, R., et al. (1989). International application of a new probability algorithm for the diagnosis of coronary artery disease. https://doi.org/10.1016/0002-9149(89)90524-9
# - Craig-Schapiro, R., et al. (2011). Multiplexed immunoassay panel identifies novel CSF biomarkers for Alzheimer's disease diagnosis and prognosis. https://doi.org/10.1371/journal.pone.0018850
# - Chhatwal, J., et al. (2009). A logistic regression model based on the National Mammography Database format to aid breast cancer diagnosis. https://doi.org/10.2214/AJR.07.3345
# - Vickers, A. J., & Elkin, E. B. (2006). Decision curve analysis: a novel method for evaluating prediction models. https://doi.org/10.1177/0272989X06295361
# - DeGrave, A. J., Janizek, J. D., & Lee, S.-I. (2021). AI for radiographic COVID-19 detection selects shortcuts over signal. https://doi.org/10.1038/s42256-021-00338-7
# - Hinton, G. E. (2002). Training products of experts by minimizing contrastive divergence. https://doi.org/10.1162/089976602760128018
#
# Previous: [16 · Language](16_language.ipynb) · Next: [18 · Finance](18_finance.ipynb)
