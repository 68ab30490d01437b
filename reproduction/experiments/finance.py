"""Finance: what can be predicted of tomorrow, a planted signal, value at risk, and credit."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from reproduction.claims import Experiment, Setting
from reproduction.experiments.finance_claims import CLAIMS, CREDIT_CLAIMS, REAL_CLAIMS, TRIES
from simmim_lite import datasets, entropy, evaluation
from simmim_lite.evaluation import Interval

MONTH = 22  # days of trading: length of the purge, and of the blocks of the bootstrap
TRAINING, STUDIES = 631, 200  # texts of a planted study (as many as speeches), and such studies
GOOD = ["growth", "strong", "robust", "gains", "solid", "upbeat", "rising", "healthy"]
BAD = ["losses", "weak", "fragile", "decline", "poor", "gloomy", "falling", "sick"]

# --- prices --------------------------------------------------------------------------------


def simulate(days: int = 8312, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns and their true volatility: GARCH(1,1) with Student's t of 6 degrees of freedom."""
    drawn = np.random.default_rng(seed).standard_t(6, days) / np.sqrt(1.5)  # of variance 1
    returns, variance = np.empty(days), np.full(days, 1.2e-4)
    for day in range(days):
        returns[day] = np.sqrt(variance[day]) * drawn[day]
        if day + 1 < days:
            variance[day + 1] = 1.2e-6 + 0.10 * returns[day] ** 2 + 0.89 * variance[day]
    return returns, np.sqrt(variance)


def features(returns: np.ndarray) -> np.ndarray:
    """Known at the close of each day: log mean size and mean of 1, 5 and 22 returns (N, 6)."""
    series = pd.Series(returns)
    columns = [np.log(series.abs().rolling(days).mean() + 1e-3) for days in (1, 5, MONTH)]
    columns += [series.rolling(days).mean() for days in (1, 5, MONTH)]
    return np.column_stack(columns)


def days_of(returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days whose next day is predicted: the first 70 % without the last month, and the rest."""
    first = int(0.7 * len(returns))
    return np.arange(MONTH, first - MONTH), np.arange(first, len(returns) - 1)


def auroc(outcomes: np.ndarray) -> float:
    """AUROC of scores and labels 0 or 1 (N, 2)."""
    scores, labels = outcomes.T
    ranks, n = stats.rankdata(scores)[labels == 1], (labels == 1).sum()
    return float((ranks.sum() - n * (n + 1) / 2) / (n * (len(labels) - n)))


def block_interval(scores: np.ndarray, labels: np.ndarray) -> Interval:
    """AUROC with a bootstrap of blocks of a month."""
    blocks = np.arange(len(labels)) // MONTH
    outcomes = np.column_stack([scores, labels])
    return evaluation.bootstrap_interval(outcomes, statistic=auroc, groups=blocks)


def predicted(returns: np.ndarray, question: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that tomorrow's return is "up" or "large", and what happened, on test days."""
    x, tomorrow = features(returns), np.append(returns[1:], np.nan)
    train, test = days_of(returns)
    middle = np.median(np.abs(tomorrow[train]))
    y = (tomorrow > 0 if question == "up" else np.abs(tomorrow) > middle).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[train], y[train])
    return model.predict_proba(x[test])[:, 1], y[test]


def exceedances(returns: np.ndarray, *, filtered: bool, window: int = 500) -> np.ndarray:
    """Whether each return after the first 500 is below its 5 % value at risk (N,) bool.

    The value at risk is the 5 % quantile of the 500 days before. If filtered, the returns are
    divided by a volatility that was known on the day before (weights fall by 6 % a day).
    """
    scale = np.ones(len(returns))
    if filtered:
        variance = pd.Series(returns**2).ewm(alpha=0.06).mean().shift(1)
        scale = np.sqrt(variance.fillna(variance[MONTH]).to_numpy())
    relative = pd.Series(returns / scale)
    quantile = relative.rolling(window).quantile(0.05).shift(1)
    return (relative < quantile).to_numpy()[window:]


def after_exceedance(exceeded: np.ndarray) -> float:
    return float(exceeded[1:][exceeded[:-1]].mean())


# --- a planted signal ----------------------------------------------------------------------


def planted_texts(tone: np.ndarray, generator: np.random.Generator) -> list[str]:
    """A text of 20 words for each tone; the number of good words grows with the tone."""
    good = np.round(20 * stats.norm.cdf(tone)).astype(int)
    drawn = generator.integers(8, size=(len(tone), 20))
    words = np.array([BAD, GOOD])
    chosen = words[(np.arange(20) < good[:, None]).astype(int), drawn]
    return [" ".join(row) for row in generator.permuted(chosen, axis=1).tolist()]


def planted_study(rho: float, returns: np.ndarray, seed: int) -> Interval:
    """AUROC of the direction from texts whose tone has the correlation ``rho`` with the return."""
    generator = np.random.default_rng(seed)
    days = np.sort(generator.choice(len(returns), 902, replace=False))
    normal = stats.norm.ppf((stats.rankdata(returns) - 0.5) / len(returns))[days]
    tone = rho * normal + np.sqrt(1 - rho**2) * generator.standard_normal(902)
    texts, up = planted_texts(tone, generator), (normal > 0).astype(int)
    model = make_pipeline(CountVectorizer(), LogisticRegression(C=0.001))  # by other seeds
    model.fit(texts[:TRAINING], up[:TRAINING])
    return delong(model.decision_function(texts[TRAINING:]), up[TRAINING:])


def delong(scores: np.ndarray, labels: np.ndarray) -> Interval:
    """AUROC of independent items with the interval of DeLong et al. (1988)."""
    ranks, up = stats.rankdata(scores), labels == 1
    above = (ranks[up] - stats.rankdata(scores[up])) / (~up).sum()
    below = 1 - (ranks[~up] - stats.rankdata(scores[~up])) / up.sum()
    error = np.sqrt(above.var(ddof=1) / up.sum() + below.var(ddof=1) / (~up).sum())
    value = float(above.mean())
    return Interval(value, value - 1.96 * error, value + 1.96 * error)


# --- credit --------------------------------------------------------------------------------


def credit_model(
    table: datasets.Table, columns: Sequence[str], *, balanced: bool = False
) -> Pipeline:
    """Logistic regression on these columns; incomes and debts by their logarithm."""
    money = [c for c in ("Income", "Assets", "Debt", "Amount", "Price") if c in columns]
    codes = [c for c in columns if table.features[c].dtype == "category"]
    numbers = [c for c in columns if c not in {*money, *codes}]
    logarithm = FunctionTransformer(np.log1p)
    prepared = make_column_transformer(
        (make_pipeline(SimpleImputer(), logarithm, StandardScaler()), money),
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), codes),
    )
    weights = "balanced" if balanced else None
    model = make_pipeline(prepared, LogisticRegression(max_iter=1000, class_weight=weights))
    return model.fit(table.features[list(columns)], table.labels)


def unpaid_error(p: np.ndarray, labels: np.ndarray) -> float:
    """Mean |probability - frequency| of label 1 over 15 groups of equal size."""
    groups = np.array_split(np.argsort(p, kind="stable"), 15)
    return float(np.mean([abs(p[group].mean() - labels[group].mean()) for group in groups]))


# --- speeches ------------------------------------------------------------------------------


def speech_days(prices: pd.DataFrame, dates: pd.DatetimeIndex) -> np.ndarray:
    """For each date the last day of trading that is not later: its close is the start."""
    return prices.index.searchsorted(dates, side="right") - 1


def speech_scores(texts: list[str], y: np.ndarray, new: list[str], model: str) -> np.ndarray:
    words = TfidfVectorizer(stop_words="english", min_df=3, sublinear_tf=True)
    learner = LogisticRegression()
    if model == "bayes":
        words = CountVectorizer(stop_words="english", min_df=3)
        learner = MultinomialNB()
    fitted = make_pipeline(words, learner).fit(texts, y)
    return fitted.predict_proba(new)[:, 1]


def speech_study(
    prices: pd.Series, speeches: dict[str, pd.DataFrame], text: str, model: str, horizon: int
) -> tuple[Interval, np.ndarray]:
    """AUROC of the direction after speeches, by blocks of a month; and the days of training."""
    train, test = speeches["train"], speeches["test"]
    starts = {split: speech_days(prices.to_frame(), some.index) for split, some in speeches.items()}
    values = prices.to_numpy()
    kept = starts["train"] + horizon <= starts["test"].min()  # the purge
    up = {
        split: (values[np.minimum(day + horizon, len(values) - 1)] > values[day]).astype(int)
        for split, day in starts.items()
    }
    texts = train[text].fillna("").to_numpy()[kept].tolist()
    scores = speech_scores(texts, up["train"][kept], test[text].fillna("").tolist(), model)
    blocks = starts["test"] // MONTH
    outcomes = np.column_stack([scores, up["test"]])
    interval = evaluation.bootstrap_interval(outcomes, statistic=auroc, groups=blocks)
    return interval, starts["train"][kept]


# --- measurements --------------------------------------------------------------------------


def prices_and_plants(setting: Setting) -> dict[str, float]:
    returns, volatility = simulate(seed=setting.seed)
    scores, up = predicted(returns, "up")
    found = {"up-skill": auroc(np.column_stack([scores, up]))}
    scores, large = predicted(returns, "large")
    truth = volatility[days_of(returns)[1] + 1]
    gap = auroc(np.column_stack([truth, large])) - auroc(np.column_stack([scores, large]))
    found["large-gap"] = gap
    for name, rho, studies in (("null", 0.0, STUDIES), ("weak", 0.15, 50), ("strong", 0.3, 50)):
        first = 10_000 * setting.seed
        runs = [planted_study(rho, returns, first + number) for number in range(studies)]
        if name == "null":
            found["null-coverage"] = np.mean([run.low <= 0.5 <= run.high for run in runs])
        else:
            found[f"power-{name}"] = np.mean([run.low > 0.5 for run in runs])
    for name, filtered in (("historical", False), ("filtered", True)):
        exceeded = exceedances(returns, filtered=filtered)
        found[f"risk-after-{name}"] = after_exceedance(exceeded)
    return {name: float(value) for name, value in found.items()}


def credit(setting: Setting) -> dict[str, float | Interval]:
    train, test = (datasets.load_table("credit", split) for split in ("train", "test"))
    parts = {**train.modalities, "all": [*train.modalities["person"], *train.modalities["loan"]]}
    found: dict[str, float | Interval] = {}
    for name, columns in parts.items():
        p = credit_model(train, columns).predict_proba(test.features[columns])
        outcomes = np.column_stack([p[:, 1], test.labels])
        key = "auroc" if name == "all" else f"auroc-{name}"
        found[key] = evaluation.bootstrap_interval(outcomes, statistic=auroc, groups=test.groups)
        if name == "all":
            found["calibration-error"] = evaluation.calibration_error(p, test.labels)
            found["unpaid-error"] = unpaid_error(p[:, 1], test.labels)
            other = credit_model(train, columns, balanced=True).predict_proba(
                test.features[columns]
            )
            found["unpaid-error-balanced"] = unpaid_error(other[:, 1], test.labels)
            losses = -np.log(p[np.arange(len(p)), test.labels])
            found["nats"] = entropy.sample_entropy(test.labels) - float(losses.mean())
    return found


def real_prices(setting: Setting) -> dict[str, float | Interval]:
    prices = datasets.load_prices("all")
    returns = np.diff(np.log(prices["SP500"].to_numpy()))
    found: dict[str, float | Interval] = {
        f"{question}-auroc": block_interval(*predicted(returns, question))
        for question in ("up", "large")
    }
    size, (train, test) = np.abs(returns), days_of(returns)
    x = np.column_stack([pd.Series(size).rolling(days).mean() for days in (1, 5, MONTH)])
    har = LinearRegression().fit(x[train], size[train + 1])
    pairs = np.column_stack([har.predict(x[test]), size[test + 1]])
    found["har-spearman"] = evaluation.bootstrap_interval(
        pairs,
        statistic=lambda some: float(stats.spearmanr(*some.T)[0]),
        groups=np.arange(len(test)) // MONTH,
    )
    exceeded = exceedances(returns, filtered=False)
    found["risk-historical"] = float(exceeded.mean())
    found["risk-after-historical"] = after_exceedance(exceeded)
    found["risk-after-filtered"] = after_exceedance(exceedances(returns, filtered=True))
    return found | speech_tries(prices)


def speech_tries(prices: pd.DataFrame) -> dict[str, float | Interval]:
    speeches = {split: datasets.load_speeches(split) for split in ("train", "test")}
    found: dict[str, float | Interval] = {}
    for number, (text, model, horizon, market) in enumerate(TRIES, start=1):
        found[f"try-{number:02}"], _ = speech_study(prices[market], speeches, text, model, horizon)
    tries = list(found.values())
    found["tries-without-skill"] = float(sum(low <= 0.5 <= high for _, low, high in tries))
    found["tries-largest"] = max(value for value, _, _ in tries)
    returns = np.diff(np.log(prices["SP500"].to_numpy()))
    days = {split: speech_days(prices, some.index) for split, some in speeches.items()}
    kept = days["train"] + 1 <= days["test"].min()
    middle = np.median(np.abs(returns[days["train"][kept]]))
    large = {split: (np.abs(returns[day]) > middle).astype(int) for split, day in days.items()}
    texts = [some["text"].tolist() for some in speeches.values()]
    known = [text for text, keep in zip(texts[0], kept, strict=True) if keep]
    past = features(returns)  # row d - 1 ends at the close of day d
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(past[days["train"][kept] - 1], large["train"][kept])
    scores = {
        "size-from-text": speech_scores(known, large["train"][kept], texts[1], "logistic"),
        "size-from-prices": model.predict_proba(past[days["test"] - 1])[:, 1],
    }
    for name, values in scores.items():
        outcomes = np.column_stack([values, large["test"]])
        found[name] = evaluation.bootstrap_interval(
            outcomes, statistic=auroc, groups=days["test"] // MONTH
        )
    return found


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("finance", CLAIMS, prices_and_plants, seeds=4, full=False),
    Experiment("finance-credit", CREDIT_CLAIMS, credit, full=False),
    Experiment("finance-real", REAL_CLAIMS, real_prices, full=True),
)
