"""Language: sentiment of tweets, classes and clusters of glosses, names of pictures."""

import re
from functools import cache

import numpy as np
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_union
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn
from torch.nn import functional as F

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite import datasets, evaluation
from simmim_lite.datasets import Tweets
from simmim_lite.encoders import seeded
from simmim_lite.evaluation import Interval
from simmim_lite.manifold import iic

ENDING = re.compile(r"(ing|ed|ly|s|er|est|y|ful|ness|ment|e)$")
COMMON = {
    *("the", "a", "an", "of", "or", "and", "in", "to", "for", "that", "is", "with", "by", "on"),
    *("as", "at", "from", "it", "its", "be", "are", "was", "this", "i", "you", "my", "me", "we"),
    *("he", "she", "they", "his", "her", "your", "our", "who", "which", "used", "having"),
    *("usually", "some", "any"),
}
MARKS = [
    *(r"\b[A-Z]{3,}\b", "!", r"\?", r"\.\.", r"[:;=8xX][-o^']?[)D\]pP]|<3|\^_?\^", r"(.)\1\1"),
    *(r"[:;=][-o']?[(\[/\\|]|\)[-']?:|D:", r"\b(?:[Nn]ot?|[Nn]ever|\w+n't)\b", r"\bbut\b"),
    *(r"\b(?:lol|LOL|haha\w*|lmao)", "@", "#", "http", '"'),
]
SIGNS = r"[:;=8x][-o']?[)(dp/\\|o3*\]]+|<3|[!?]+|[^\sa-z0-9]"
NEGATION = re.compile(r"not|no|without|cannot|can't|.*n't|dont|cant|wont|isnt")
CLASSES = 19

_SENTIMENT = (
    Claim(
        id="model",
        name="correlation with the mean rating, 839 test tweets, all features with a kernel",
        truth="one human against the mean of the others: 0.859",
        source="the same ratings, 20 draws",
        at_least=0.83,
        notebook="16",
    ),
    Claim(
        id="gain",
        name="the same minus ridge regression on TF-IDF of words, pairs and characters",
        truth="equal: 0",
        source="the same run, paired",
        at_least=0.015,
        notebook="16",
    ),
    Claim(
        id="human",
        name="correlation of one human with the mean of the others, test tweets",
        truth="all 4,200 tweets: 0.863",
        source="research note on the data",
        at_least=0.85,
        at_most=0.88,
        notebook="16",
    ),
    Claim(
        id="bound",
        name="largest possible correlation of a model with the mean rating, test tweets",
        truth="square root of the reliability of training tweets: 0.993",
        source="split halves of the ratings",
        at_least=0.985,
        at_most=1.0,
        notebook="16",
    ),
)
_GLOSSES = (
    Claim(
        id="classes",
        name="accuracy of 19 classes, 2,280 test glosses, text encoder and labels",
        truth="counts of words with logistic regression: 72.9 %",
        source="research note on the data",
        unit="%",
        at_least=0.70,
        notebook="16",
    ),
    Claim(
        id="classes-gain",
        name="the same minus counts of words and pairs with logistic regression",
        truth="equal: 0 points",
        source="the same run",
        unit="points",
        notebook="16",
    ),
    Claim(
        id="clusters",
        name="accuracy of 19 clusters without labels, test glosses, information of two halves",
        truth="chance, best assignment of random clusters: about 8 %",
        source="the same run",
        unit="%",
        at_least=0.35,
        worst_at_least=0.30,
        notebook="16",
    ),
    Claim(
        id="clusters-gain",
        name="the same minus k-means on the same vectors",
        truth="equal: 0 points",
        source="the same run",
        unit="points",
        notebook="16",
    ),
)


def stem(word: str) -> str:
    return ENDING.sub("", word) if len(word) > 4 else word


def words_of(text: str) -> list[str]:
    return [stem(w) for w in re.findall(r"[a-z']+", text.lower()) if w not in COMMON]


def tokens(text: str) -> list[str]:
    return [stem(word) for word in re.findall(r"[a-z0-9']+|" + SIGNS, text.lower())]


def negated(text: str) -> list[str]:
    """Tokens, and "not" with each of the three words after a negation."""
    found, left = [], 0
    for word in tokens(text):
        found.append(word)
        if NEGATION.fullmatch(word):
            left = 3
        elif word in ".,!?;:":
            left = 0
        elif left > 0:
            found.append("not " + word)
            left -= 1
    return found


class Words:
    """Vectors of words from positive pointwise mutual information within training texts."""

    def __init__(self, known: list[str]):
        self.vocabulary = CountVectorizer(analyzer=words_of, min_df=3, binary=True)
        counts = self.vocabulary.fit_transform(known).astype(float)
        others = np.maximum(np.asarray(counts.sum(axis=1)).ravel() - 1, 1)
        joint = (counts.T @ sparse.diags(1 / others) @ counts).tolil()
        joint.setdiag(0)
        self.joint = joint.tocoo()
        self.joint.eliminate_zeros()
        self.joint.data /= self.joint.data.sum()
        self.rarity = np.log(len(known) / (1 + np.asarray(counts.sum(axis=0)).ravel()))

    def vectors(self, dim: int) -> np.ndarray:
        joint = self.joint
        p = np.bincount(joint.row, joint.data, minlength=joint.shape[0])
        smoothed = p**0.75 / (p**0.75).sum()
        pmi = np.log(joint.data / (p[joint.row] * smoothed[joint.col]))
        keep = pmi > 0
        places = (joint.row[keep], joint.col[keep])
        positive = sparse.csr_matrix((pmi[keep], places), joint.shape)
        left, sizes, _ = randomized_svd(positive, dim, random_state=0)
        return normalize(left * np.sqrt(sizes))

    def weighted(self, texts: list[str]) -> sparse.csr_matrix:
        """Weight of each word of a text: rare words and first words have more."""
        places, weights = [], []
        for row, text in enumerate(texts):
            for place, word in enumerate(words_of(text)):
                column = self.vocabulary.vocabulary_.get(word)
                if column is not None:
                    places.append((row, column))
                    weights.append(self.rarity[column] / np.sqrt(1 + place))
        return sparse.csr_matrix((weights, np.transpose(places)), (len(texts), len(self.rarity)))


@cache
def known_words() -> Words:
    glosses, emoji = datasets.load_glosses(), datasets.load_emoji()
    known = [*glosses.texts, *datasets.load_tweets().texts]
    known += [" ".join(words) for words in glosses.words]
    pairs = zip(emoji.names["en"], emoji.tags, strict=True)
    return Words([*known, *(" ".join([name, *tags]) for name, tags in pairs)])


# --- sentiment -----------------------------------------------------------------------------


def style(texts: list[str]) -> np.ndarray:
    counted = [[min(len(re.findall(mark, text)), 4) for mark in MARKS] for text in texts]
    return np.column_stack([counted, [5 * np.log(1 + len(text.split())) for text in texts]])


def gram(old: list[str], new: list[str]) -> np.ndarray:
    """Scalar products of all features of training tweets, then test tweets."""
    words, both = known_words(), [*old, *new]
    total = np.zeros((len(both), len(both)))
    for options in (
        {"analyzer": tokens},
        {"analyzer": negated},
        {"analyzer": "char_wb", "ngram_range": (2, 5)},
    ):
        rows = TfidfVectorizer(sublinear_tf=True, **options).fit(old).transform(both)
        total += (rows @ rows.T).toarray()
    rows = normalize(words.vocabulary.transform(both) @ words.vectors(300))
    total += rows @ rows.T
    rows = StandardScaler().fit(style(old)).transform(style(both))
    return total + 0.3 / rows.shape[1] * (rows @ rows.T)


def predicted_scores(old: Tweets, new: Tweets) -> np.ndarray:
    total = gram(old.texts, new.texts)
    square = np.diag(total)
    count, mean = len(old.texts), old.scores.mean()
    kernel = np.exp(-0.4 * (square[:, None] + square - 2 * total) / square[:count].mean())
    ridge = KernelRidge(alpha=0.07, kernel="precomputed")
    ridge.fit(kernel[:count, :count], old.scores - mean)
    return ridge.predict(kernel[count:, :count]) + mean


def one_human(some: Tweets, seed: int) -> float:
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(ratings) for ratings in some.ratings]
    return float(np.corrcoef([o[0] for o in orders], [o[1:].mean() for o in orders])[0, 1])


def correlation(rows: np.ndarray) -> float:
    return float(np.corrcoef(rows[:, 0], rows[:, 1])[0, 1])


def _difference(rows: np.ndarray) -> float:
    return correlation(rows) - correlation(rows[:, [2, 1]])


def sentiment(setting: Setting) -> dict[str, float | Interval]:
    old, new = datasets.load_tweets("train"), datasets.load_tweets("test")
    tfidf = make_union(
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\S+"),
        TfidfVectorizer(sublinear_tf=True, ngram_range=(2, 5), analyzer="char_wb"),
    )
    ridge = Ridge(1.0).fit(tfidf.fit_transform(old.texts), old.scores)
    baseline = ridge.predict(tfidf.transform(new.texts))
    rows = np.column_stack([predicted_scores(old, new), new.scores, baseline])
    noise = np.mean([ratings.var(ddof=1) / len(ratings) for ratings in new.ratings])
    return {
        "model": evaluation.bootstrap_interval(rows, statistic=correlation, groups=new.groups),
        "gain": evaluation.bootstrap_interval(rows, statistic=_difference, groups=new.groups),
        "human": float(np.mean([one_human(new, seed) for seed in range(20)])),
        "bound": float(np.sqrt(1 - noise / new.scores.var(ddof=1))),
    }


# --- glosses -------------------------------------------------------------------------------


def _tensor(rows: np.ndarray | sparse.spmatrix) -> Tensor:
    return torch.from_numpy(rows.toarray() if sparse.issparse(rows) else rows).float()


class TextAndLabel(nn.Module):
    """Scores of texts and all classes, from sparse rows of weights of words and pairs of words."""

    def __init__(self, start: np.ndarray, seed: int):
        super().__init__()
        start = torch.from_numpy(start).float()
        self.words = nn.EmbeddingBag.from_pretrained(start, freeze=False, mode="sum")
        with seeded(seed):
            self.labels = nn.Linear(start.shape[1], CLASSES)

    def forward(self, rows: sparse.csr_matrix) -> Tensor:
        weights = torch.from_numpy(rows.data).float()
        if self.training:
            weights = weights * (torch.rand(len(weights)) > 0.3)
        first = torch.from_numpy(rows.indptr[:-1]).long()
        h = self.words(torch.from_numpy(rows.indices).long(), first, weights)
        return self.labels(16 * F.dropout(F.normalize(h, dim=1), 0.3, self.training))


def text_and_label(
    words: Words, texts: dict[str, list[str]], y: np.ndarray, seed: int, epochs: int = 4
) -> np.ndarray:
    """Classes of test glosses, by InfoNCE with all labels as candidates."""
    tfidf = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    rows, new_rows = tfidf.fit_transform(texts["train"]), tfidf.transform(texts["test"])
    vectors, numbers = words.vectors(300), words.vocabulary.vocabulary_
    start = np.zeros((rows.shape[1], 300))
    for row, feature in enumerate(tfidf.get_feature_names_out()):
        columns = [numbers[stem(w)] for w in feature.split() if stem(w) in numbers]
        start[row] = vectors[columns].mean(axis=0) if columns else 0
    network = TextAndLabel(start, seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
    torch.manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(len(y)).split(256):
            loss = F.cross_entropy(network(rows[chosen.numpy()]), torch.from_numpy(y)[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return network.eval()(new_rows).argmax(dim=1).numpy()


def clusters(
    words: Words, texts: dict[str, list[str]], seed: int, steps: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of test glosses: of information maximization, and of k-means."""
    vectors = words.vectors(100)
    weights = {split: words.weighted(some) for split, some in texts.items()}
    middle = normalize(weights["train"] @ vectors).mean(axis=0)

    def meaning(some: sparse.csr_matrix) -> np.ndarray:
        return normalize(normalize(some @ vectors) - middle)

    rows, new_rows = (meaning(weights[split]) for split in ("train", "test"))
    start = KMeans(CLASSES, n_init=1, random_state=seed).fit(rows)
    network, rng = nn.Linear(100, CLASSES, bias=False), np.random.default_rng(seed)
    network.weight.data = 4 * F.normalize(_tensor(start.cluster_centers_), dim=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(steps):
        batch = weights["train"][rng.integers(len(rows), size=1024)]
        first = rng.random(batch.nnz) < 0.5
        halves = []
        for chosen in (first, ~first):
            half = batch.copy()
            half.data = half.data * chosen
            halves.append(network(_tensor(meaning(half))))
        optimizer.zero_grad()
        (-iic(*halves)).backward()
        optimizer.step()
    means = KMeans(CLASSES, n_init=3, random_state=seed).fit(rows)
    found = network(_tensor(new_rows)).argmax(dim=1).numpy()
    return found, means.predict(new_rows)


def classes_and_clusters(setting: Setting) -> dict[str, float]:
    words = known_words()
    splits = {split: datasets.load_glosses(split) for split in ("train", "test")}
    texts = {split: some.texts for split, some in splits.items()}
    y, new_y = splits["train"].labels, splits["test"].labels
    tfidf = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    linear = LogisticRegression(C=10, max_iter=300).fit(tfidf.fit_transform(texts["train"]), y)
    counted = linear.score(tfidf.transform(texts["test"]), new_y)
    accuracy = float((text_and_label(words, texts, y, setting.seed) == new_y).mean())
    information, means = clusters(words, texts, setting.seed)
    clustered = evaluation.cluster_accuracy(new_y, information)
    return {
        "classes": accuracy,
        "classes-gain": accuracy - counted,
        "clusters": clustered,
        "clusters-gain": clustered - evaluation.cluster_accuracy(new_y, means),
    }


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("language", _SENTIMENT, sentiment, full=False),
    Experiment("language-glosses", _GLOSSES, classes_and_clusters, seeds=3, full=False),
)
