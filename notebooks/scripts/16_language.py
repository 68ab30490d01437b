# %% [markdown]
# # 16 · Language
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/16_language.ipynb)
#
# *Texts and their labels: definitions and their classes, tweets and their ratings, pictures and their names, and clusters of texts without labels.*
#
# **What you will learn**
#
# - **word vectors** from *pointwise mutual information*;
# - a **text encoder with labels** as the second modality, and why word counts are hard to beat;
# - what **one human** achieves in rating a tweet, and how close a model comes;
# - **clusters of texts** without labels, by the information between two halves of a text;
# - to **generate names** of pictures, and to score them;
# - to find **leaks** between texts that are not equal, only alike.
#
# **Prerequisites**: notebooks [07](07_manifold_infomax.ipynb) and [15](15_labels_as_a_modality.ipynb); correlation, ridge regression, logistic regression and TF-IDF.
#
# **In the package**: `datasets`, `entropy`, `evaluation`, `generation`, `manifold`.
#
# <!-- measured -->
# About 74 minutes to work through.
# Measured: 82 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils.extmath import randomized_svd
from torch import nn

from simmim_lite import datasets, entropy, evaluation, exercises, figures
from simmim_lite.encoders import ImageEncoder, Tokenizer, seeded
from simmim_lite.generation import CaptionDecoder
from simmim_lite.manifold import iic

figures.set_style()
torch.set_num_threads(1)  # the networks are small

# %% [markdown]
# ## 1. Are the test texts really new?
#
# **Question.** Three sets come with the package. Does any test text also occur in training, perhaps in
# other words?
#
# **Data.** 11,400 *glosses* are definitions of nouns from WordNet, in 19 classes (act, animal, ...) of
# equal size. So $H(Y) = \ln 19 = 2.944$ nats, and chance is 1/19. Each of the 4,200 tweets (Hutto and
# Gilbert 2014) has ratings by 20 or more people, from very negative ($-4$) to very positive ($4$). The
# emoji are those of notebook 15.
#
# **Idea.** `find_leaks` finds equal values. But the authors of the tweets added *variants* of some texts:
# in capitals, with "!!!", or with one more word. We call two texts with the sets of words $A$ and $B$ alike
# if most of the words are in both sets:
#
# $$\frac{|A \cap B|}{|A \cup B|} \ge 0.6$$
#
# Variants have one group number, and a group stands on one side of the split. We plant a variant of a
# training tweet in the test set, and compare two searches: for equal texts, and for shared words.

# %%
tweets = {split: datasets.load_tweets(split) for split in ("train", "test")}
glosses = {split: datasets.load_glosses(split) for split in ("train", "test")}
emoji = {split: datasets.load_emoji(split) for split in ("train", "test")}


def variants(train, test):
    """Rows of test texts that are alike to a training text: 60% of all their words are in both."""
    masks = ["anonymous", "url", "removed", "http"]  # in place of names and addresses
    counts = CountVectorizer(binary=True, token_pattern=r"[a-z0-9]+", stop_words=masks)
    words = counts.fit_transform([*train, *test]).astype(float)
    size = np.asarray(words.sum(axis=1)).ravel()
    old, new = words[: len(train)], words[len(train) :]
    both = (new @ old.T).tocoo()  # number of shared words
    union = size[len(train) :][both.row] + size[both.col] - both.data
    return np.unique(both.row[both.data >= 0.6 * union])


# %%
old, new = tweets["train"], tweets["test"]
planted = [*new.texts[:-1], old.texts[0].upper() + " !!!"]
found_equal = datasets.find_leaks({"text": old.texts}, {"text": planted})["text"]
found_alike = variants(old.texts, planted)
print("planted variant, found by equality:", found_equal, "by words:", found_alike)


def values(split):
    """What must not be equal in training and test."""
    words = [word for several in glosses[split].words for word in several]
    found = {"text": tweets[split].texts, "group": tweets[split].groups, "word": words}
    return found | {"gloss": glosses[split].texts, "family": emoji[split].families}


leaks = datasets.find_leaks(values("train"), values("test"))
print("equal values in both parts:", {name: len(rows) for name, rows in leaks.items()})
alike = variants(glosses["train"].texts, glosses["test"].texts)
print("alike: tweets", len(variants(old.texts, new.texts)), "glosses", len(alike))
exercises.verify("no value is on both sides", not any(len(rows) for rows in leaks.values()))
exercises.verify("no test tweet has a variant in training", not len(variants(old.texts, new.texts)))
exercises.verify("only the test of shared words finds the variant", list(found_alike) == [838])
assert len(found_equal) == 0

# %% [markdown]
# No tweet leaks. But 190 test glosses are alike to a training gloss. "The act of swimming" and "the act of
# inventing" define different words in one pattern. New glosses follow such patterns, too, so we keep them,
# and section 3 also gives the accuracy without them.
#
# ## 2. What does a word say about the words around it?
#
# **Question.** Only 3,361 tweets have ratings for training. Many test tweets contain words that no training
# tweet contains. Can texts without labels show that two words are alike?
#
# **Idea.** Two words are alike if they occur in texts with the same other words. A word $W$ and another
# word $W'$ of the same text are a positive pair.
#
# **Formula.** The *pointwise mutual information* (PMI) of two words is
#
# $$\text{PMI}(w, w') = \ln \frac{p(w, w')}{p(w)\, p(w')}, \qquad I(W; W') = \sum_{w, w'} p(w, w')\, \text{PMI}(w, w')$$
#
# So $I(W; W')$ is the mean of PMI over pairs. *Skip-gram with negative samples* learns word vectors by a
# contrastive loss (notebook 03). Levy and Goldberg (2014) show that their scalar products approximate PMI
# up to a constant. We compute vectors directly. The table of positive PMI values has a *singular value
# decomposition* (SVD) $U D V^\top$. The vector of a word is its row of $U D^{1/2}$, scaled to length 1, for
# the largest values in $D$. A pair counts 1 divided by the number of other words in its text, so long texts
# do not dominate. Endings such as "-ing" are cut off, so many forms of a word become equal. We use training
# texts only, without labels or ratings: glosses, lists of the words that a gloss defines (each list as its
# own text), tweets, and names and tags of emoji.

# %%
ENDING = re.compile(r"(ing|ed|ly|s|er|est|y|ful|ness|ment|e)$")
COMMON = """the a an of or and in to for that is with by on as at from it its be are was this i you my
me we he she they his her your our who which used having usually some any"""


def stem(word):
    return ENDING.sub("", word) if len(word) > 4 else word


def words_of(text):
    return [stem(w) for w in re.findall(r"[a-z']+", text.lower()) if w not in COMMON.split()]


known = [*glosses["train"].texts, *tweets["train"].texts]
known += [" ".join(words) for words in glosses["train"].words]
for name, tags in zip(emoji["train"].names["en"], emoji["train"].tags, strict=True):
    known.append(" ".join([name, *tags]))
vocabulary = CountVectorizer(analyzer=words_of, min_df=3, binary=True)


# %%
def pairs_of(counts):
    """Joint distribution of two different words of a text, as a sparse table."""
    others = np.maximum(np.asarray(counts.sum(axis=1)).ravel() - 1, 1)
    joint = (counts.T @ sparse.diags(1 / others) @ counts).tolil()
    joint.setdiag(0)
    joint = joint.tocoo()
    joint.eliminate_zeros()
    joint.data /= joint.data.sum()
    return joint


def pmi_of(joint):
    p = np.bincount(joint.row, joint.data, minlength=joint.shape[0])
    return np.log(joint.data / (p[joint.row] * p[joint.col])), p


# %% [markdown]
# **Check.** The mean of PMI is exactly $I(W; W')$ of the table of counts, so it must equal $H(W) + H(W') -
# H(W, W')$. But a table with millions of cells and few counts seems to contain information even if words are
# drawn at random (notebook 02). So we shuffle the words over all texts and compute the same number again.
# Only the excess over this number is evidence.

# %%
counts = vocabulary.fit_transform(known).astype(float)
joint = pairs_of(counts)
pmi, p = pmi_of(joint)
information = joint.data @ pmi
assert np.isclose(information, 2 * entropy.entropy(p) - entropy.entropy(joint.data))
shuffled = counts.tocoo()
columns = np.random.default_rng(0).permutation(shuffled.col)
random_counts = sparse.csr_matrix((shuffled.data, (shuffled.row, columns)), counts.shape)
random_joint = pairs_of((random_counts > 0).astype(float))
of_shuffled = random_joint.data @ pmi_of(random_joint)[0]
print(f"{len(known):,} texts, {len(p):,} words")
print(f"I(W; W'): {information:.2f} nats, shuffled: {of_shuffled:.2f} nats")
exercises.verify("real texts contain more", information > of_shuffled)

# %% [markdown]
# For the vectors, $p(w')$ is raised to the power 0.75, which makes the PMI of rare words less extreme
# (Levy, Goldberg and Dagan 2015).


# %%
def word_vectors(dim):
    smoothed = p**0.75 / (p**0.75).sum()
    values = np.log(joint.data / (p[joint.row] * smoothed[joint.col]))
    keep = values > 0
    places = (joint.row[keep], joint.col[keep])
    positive = sparse.csr_matrix((values[keep], places), joint.shape)
    U, D, _ = randomized_svd(positive, dim, random_state=0)
    return normalize(U * np.sqrt(D))


vectors = word_vectors(300)
words = vocabulary.get_feature_names_out()
for word in ("music", "doctor", "love", "angry", "rain"):
    similarity = vectors @ vectors[vocabulary.vocabulary_[stem(word)]]
    print(f"{word:7}", ", ".join(words[np.argsort(-similarity)[1:7]]))

# %% [markdown]
# Many of the nearest words have a similar meaning. Some do not: "plethora" and "treadmill" occur only in
# the variants of one tweet, which also contain "angry" or "rain". Copies of a text distort counts, too. Word
# vectors from billions of words are far better.
#
# ## 3. Does a text encoder beat word counts?
#
# **Question.** The article proposes a text encoder and a label encoder with maximal mutual information. Is
# it better than a linear classifier of word counts?
#
# **Formula.** As in notebook 15, InfoNCE with all labels as candidates is $\hat I = H(Y) -
# \text{cross-entropy}$, a lower bound on $I(X; Y) \le H(Y) = \ln 19$. Here $f(x, y)$ is the scalar product
# of the text vector and a vector of the label, plus a number for the label. The *text vector* is the sum of
# the vectors of its words and pairs of words, each times its TF-IDF weight. The sum is scaled to length 16.
# All vectors are learned. A word begins with its vector of section 2, and a pair with the mean of its words.
#
# **Baseline.** Logistic regression on the same TF-IDF weights of words and pairs of neighboring words.

# %%
y, new_y = glosses["train"].labels, glosses["test"].labels
texts, new_texts = (glosses[split].texts for split in ("train", "test"))


def tfidf_of(texts, new_texts, **options):
    tfidf = TfidfVectorizer(sublinear_tf=True, **options)
    return tfidf.fit_transform(texts), tfidf.transform(new_texts), tfidf.get_feature_names_out()


def logistic(texts, new_texts):
    """Probabilities of the classes of new texts, from counts of words and pairs of words."""
    x, new_x, _ = tfidf_of(texts, new_texts, ngram_range=(1, 2), min_df=2)
    return LogisticRegression(C=10, max_iter=300).fit(x, y).predict_proba(new_x)


probabilities = {"counts, logistic regression": logistic(texts, new_texts)}
x, new_x, features = tfidf_of(texts, new_texts, ngram_range=(1, 2), min_df=2)
start = np.zeros((len(features), 300))
for row, feature in enumerate(features):
    columns = [vocabulary.vocabulary_.get(stem(word)) for word in feature.split()]
    columns = [column for column in columns if column is not None]
    start[row] = vectors[columns].mean(axis=0) if columns else 0


# %%
class TextAndLabel(nn.Module):
    """Scores f(x, y) of texts and all labels, from sparse rows of weights of features."""

    def __init__(self, start, classes, seed):
        super().__init__()
        self.words = nn.EmbeddingBag.from_pretrained(
            torch.from_numpy(start).float(), freeze=False, mode="sum"
        )
        with seeded(seed):
            self.labels = nn.Linear(start.shape[1], classes)

    def forward(self, x):
        columns, weights = torch.from_numpy(x.indices).long(), torch.from_numpy(x.data).float()
        keep = (torch.rand(len(weights)) > 0.3) if self.training else 1  # hide words at random
        first = torch.from_numpy(x.indptr[:-1]).long()
        h = nn.functional.normalize(self.words(columns, first, weights * keep), dim=1)
        return self.labels(16 * nn.functional.dropout(h, 0.3, self.training))


# %%
def train_text(seed, epochs=4):
    network = TextAndLabel(start, 19, seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
    torch.manual_seed(seed)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(256):
            scores = network(x[rows.numpy()])
            loss = nn.functional.cross_entropy(scores, torch.from_numpy(y)[rows])  # ln 19 - InfoNCE
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return network.eval()(new_x).softmax(dim=1).numpy()


runs = [train_text(seed) for seed in range(2)]
probabilities["text and label, InfoNCE"] = runs[0]
both = np.sqrt(probabilities["counts, logistic regression"] * runs[0])
probabilities["both, geometric mean"] = both / both.sum(axis=1, keepdims=True)

# %% [markdown]
# **Leak.** The model does not see the words that a gloss defines. We plant a leak: we write these words in
# front of each gloss, in training and test. Many glosses contain a part of such a word anyway ("the act of
# swimming" defines "swimming"). This is no leak, because new glosses do so, too. We count them. For
# intervals, see notebook 13.


# %%
with_words = [
    [" ".join([*own, text]) for own, text in zip(some.words, some.texts, strict=True)]
    for some in glosses.values()
]
probabilities["counts, words planted"] = logistic(*with_words)
table = {"chance": {"accuracy": 1 / 19, "from": np.nan, "to": np.nan, "nats": 0.0}}
for name, q in probabilities.items():
    interval = evaluation.wilson_interval(q.argmax(axis=1) == new_y)
    nats = np.log(19) + np.log(q[np.arange(len(new_y)), new_y]).mean()
    table[name] = {"accuracy": interval.value, "from": interval.low, "to": interval.high}
    table[name]["nats"] = nats
print(pd.DataFrame(table).T.round(3).to_string())
print("text and label, two seeds:", *[f"{(q.argmax(axis=1) == new_y).mean():.3f}" for q in runs])
own = [
    any(set(words_of(w)) & set(words_of(x)) for w in ws)
    for ws, x in zip(glosses["test"].words, new_texts, strict=True)
]
print("test glosses that contain a part of a word that they define:", sum(own))
correct = probabilities["counts, logistic regression"].argmax(axis=1) == new_y
print(f"logistic regression without the {len(alike)} alike: {np.delete(correct, alike).mean():.3f}")


# %%
def gains(name, other="counts, logistic regression"):
    """Gain in accuracy and in nats over another method, with paired intervals."""
    rows = np.arange(len(new_y))
    q, other_q = probabilities[name], probabilities[other]
    hits = 1.0 * (q.argmax(axis=1) == new_y) - (other_q.argmax(axis=1) == new_y)
    nats = np.log(q[rows, new_y] / other_q[rows, new_y])
    return evaluation.bootstrap_interval(hits), evaluation.bootstrap_interval(nats)


gained = {name: gains(name) for name in list(probabilities)[1:]}
for name, (in_accuracy, in_nats) in gained.items():
    print(f"{name}, minus counts:")
    print("  accuracy {:.3f} [{:.3f}, {:.3f}],".format(*in_accuracy), end=" ")
    print("nats {:.3f} [{:.3f}, {:.3f}]".format(*in_nats))
exercises.verify("the planted words help", gained["counts, words planted"][0].low > 0)
exercises.verify("no value exceeds H(Y)", all(row["nats"] < np.log(19) for row in table.values()))

# %% [markdown]
# Logistic regression finds the class of about 73% of the test glosses (0.708 without those that are alike),
# and about 1.9 of the $\ln 19$ nats. The text encoder with labels is not better in accuracy (the interval of
# the difference contains 0), and is worse in nats. Both together are better in nats only: their
# probabilities are better, but not their classes. A likely reason is the size of the data. With 480 glosses
# of each class, some words of a test gloss occurred only a few times in training, or never. The planted
# words give a clear gain, which would look like progress. We know no human upper bound for these classes.
#
# ## 4. What does one human achieve?
#
# **Question.** Each tweet has ratings by 20 or more people. A model predicts the mean rating. Which
# correlation can it reach at most, and which one does a human reach?
#
# **Formula.** Model a rating as $R_i = S + E_i$: the *signal* $S$ of the tweet, with variance $\sigma^2_S$
# over tweets, and independent *noise* $E_i$ of the person, with variance $\sigma^2_E$. The mean $\bar R$ of
# $n$ ratings has variance $\sigma^2_S + \sigma^2_E / n$. The fraction
#
# $$\rho_n = \frac{\sigma^2_S}{\sigma^2_S + \sigma^2_E / n}$$
#
# is the *reliability* of $\bar R$. The noise is independent of the text, so it adds nothing to the
# covariance of $\bar R$ with a prediction from the text. The best prediction is $S$ itself. Its correlation
# with $\bar R$ is $\sqrt{\rho_n}$. This is the upper bound of a model. One person, compared with the mean
# of $n - 1$ others, has the correlation $\sqrt{\rho_1\, \rho_{n-1}}$: derive this in exercise 3. The
# variance of the ratings of one tweet estimates $\sigma^2_E$, and the variance of $\bar R$ minus
# $\sigma^2_E / n$ estimates $\sigma^2_S$.
#
# ### Exercise 1 · ★ · 1 minute · predict
#
# The mean of 20 or more people is almost free of noise. The correlation of *one* person with the mean of
# the others is (a) about 0.99, (b) between 0.8 and 0.9, (c) below 0.5.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("one human", my_prediction_1)


# %%
def humans(some, k, seed):
    """The mean of k random ratings of each tweet, and the mean of its other ratings."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(ratings) for ratings in some.ratings]
    return np.array([[order[:k].mean(), order[k:].mean()] for order in orders])


def r_of(rows):
    """Correlation of the first two columns."""
    return np.corrcoef(rows[:, 0], rows[:, 1])[0, 1]


sizes = np.array([len(ratings) for ratings in new.ratings])
spread = np.array([ratings.var(ddof=1) for ratings in new.ratings])
noise = spread.mean()
signal = new.scores.var(ddof=1) - np.mean(spread / sizes)
reliability = signal / new.scores.var(ddof=1)
human = np.mean([r_of(humans(new, 1, seed)) for seed in range(20)])
expected = signal / np.sqrt((signal + noise) * (signal + np.mean(spread / (sizes - 1))))
print(f"{sizes.min()} to {sizes.max()} ratings of each test tweet, median {np.median(sizes):.0f}")
print(f"signal {signal:.2f}, noise of one person {noise:.2f}, reliability {reliability:.3f}")
print(f"one human: r = {human:.3f}, by the formula {expected:.3f}")
print(f"upper bound of a model: r = {np.sqrt(reliability):.3f}")
exercises.verify("the formula explains one human", abs(human - expected) < 0.02)

# %% [markdown]
# The measured correlation of one human agrees with the formula. The mean of 20 or more people is nearly
# free of noise, so the upper bound of a model is almost 1, and not the value of one human. A model can
# exceed one human without a leak, because a model does not have the noise of a person.
#
# ## 5. How close does a model come?
#
# **Question.** Which features come closer to one human than the baseline does?
#
# **Baseline.** Ridge regression on TF-IDF of words, pairs of words, and sequences of 2 to 5 characters.
# Forms such as "haha" and "hahaha" have most of these sequences in common.
#
# **Ideas.** 1. Stems in place of words. After "not" and similar words, each of the next three words is also
# counted as a pair such as "not good". 2. The mean PMI vector of the words. 3. *Style*: counts of capitals,
# "!", "?", emoticons and repeated letters. 4. A *kernel*: a word can change the meaning of another word, so
# a function that is not linear can be better.
#
# **Formula.** Let $y_i$ be the mean rating of training tweet $x_i$, and $\bar y$ their mean. *Kernel ridge
# regression* predicts $\hat y(x) = \bar y + \sum_i \alpha_i\, \kappa(x, x_i)$. The numbers $\alpha_i$ solve
# $(G + \lambda \mathbf{1})\, \alpha = y - \bar y$, where $G_{ij} = \kappa(x_i, x_j)$, $\mathbf{1}$ is the
# unit matrix, and $\lambda$ is a penalty. If $\kappa$ is the scalar product of centered features, this is
# ridge regression. We take $\kappa(x, x') = e^{-\gamma |x - x'|^2}$, where the mean of $|x|^2$ is 1. All
# settings were chosen by cross-validation over *groups* within the training tweets. TF-IDF and PMI use the
# texts of all training tweets, also of the fold that is predicted, but not its ratings.

# %%
NEGATION = re.compile(r"not|no|without|cannot|can't|.*n't|dont|cant|wont|isnt")


def tokens(text):
    signs = r"[:;=8x][-o']?[)(dp/\\|o3*\]]+|<3|[!?]+|[^\sa-z0-9]"
    return [stem(word) for word in re.findall(r"[a-z0-9']+|" + signs, text.lower())]


def negated(text):
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


# %%
MARKS = [r"\b[A-Z]{3,}\b", "!", r"\?", r"\.\.", r"[:;=8xX][-o^']?[)D\]pP]|<3|\^_?\^", r"(.)\1\1"]
MARKS += [r"[:;=][-o']?[(\[/\\|]|\)[-']?:|D:", r"\b(?:[Nn]ot?|[Nn]ever|\w+n't)\b", r"\bbut\b"]
MARKS += [r"\b(?:lol|LOL|haha\w*|lmao)", "@", "#", "http", '"']


def style(texts):
    counted = [[min(len(re.findall(mark, text)), 4) for mark in MARKS] for text in texts]
    lengths = [5 * np.log(1 + len(text.split())) for text in texts]
    return np.column_stack([counted, lengths])


def standardized(rows, new_rows):
    scale = StandardScaler().fit(rows)
    return np.vstack([scale.transform(rows), scale.transform(new_rows)]) / np.sqrt(rows.shape[1])


pair = (old.texts, new.texts)
plain = tfidf_of(*pair, ngram_range=(1, 2), token_pattern=r"\S+")
characters = tfidf_of(*pair, analyzer="char_wb", ngram_range=(2, 5))
stacked = [sparse.hstack([plain[i], characters[i]]).tocsr() for i in (0, 1)]
blocks = {"stems": sparse.vstack(tfidf_of(*pair, analyzer=tokens)[:2])}
blocks["negation"] = sparse.vstack(tfidf_of(*pair, analyzer=negated)[:2])
blocks["words"] = sparse.vstack(plain[:2])
blocks["characters"] = sparse.vstack(characters[:2])
blocks["vectors"] = normalize(vocabulary.transform([*old.texts, *new.texts]) @ vectors)
blocks["style"] = np.sqrt(0.3) * standardized(style(old.texts), style(new.texts))


# %%
train_rows, test_rows = np.split(np.arange(len(old.texts) + len(new.texts)), [len(old.texts)])


def centered(gram):
    """Scalar products after subtracting the mean of the training rows."""
    mean = gram[train_rows].mean(axis=0)
    return gram - mean - mean[:, None] + mean[train_rows].mean()


def kernel(gram, gamma=0.4):
    square = np.diag(gram)
    distance = square[:, None] + square - 2 * gram
    return np.exp(-gamma * distance / square[train_rows].mean())


def predict(gram, rows, others, penalty):
    """Predictions for some rows from the ratings of training rows."""
    mean = old.scores[rows].mean()
    ridge = KernelRidge(alpha=penalty, kernel="precomputed")
    ridge.fit(gram[np.ix_(rows, rows)], old.scores[rows] - mean)
    return ridge.predict(gram[np.ix_(others, rows)]) + mean


def cross_validated(gram, penalty):
    predicted = np.zeros(len(old.scores))
    for rows, others in evaluation.grouped_folds(old.scores > 0, old.groups):
        predicted[others] = predict(gram, rows, others, penalty)
    return np.corrcoef(predicted, old.scores)[0, 1]


# %%
grams = {}
for name, block in blocks.items():
    gram = block @ block.T
    grams[name] = np.asarray(gram.todense() if sparse.issparse(gram) else gram, np.float32)
counted = grams["stems"] + grams["negation"] + grams["characters"]
with_vectors = counted + grams["vectors"]
ladder = {
    "words, pairs, characters": (centered(grams["words"] + grams["characters"]), 1.0),
    "stems, negation, characters": (centered(counted), 1.0),
    "... and PMI vectors": (centered(with_vectors), 1.0),
    "... and style": (centered(with_vectors + grams["style"]), 1.0),
    "... with a kernel": (kernel(with_vectors + grams["style"]), 0.07),
}
for name, (gram, penalty) in ladder.items():
    print(f"{name:28} r = {cross_validated(gram, penalty):.3f} in cross-validation")

# %% [markdown]
# **Test.** The test tweets are used for the first and the last row only. The intervals are a bootstrap over
# groups of test tweets, paired for differences. For jointly Gaussian variables with correlation $r$, the
# information is $I = -\frac{1}{2} \ln(1 - r^2)$. Ratings are not exactly Gaussian, so the values in nats are
# a translation of $r$, not a bound.

# %%
baseline = predict(ladder["words, pairs, characters"][0], train_rows, test_rows, 1.0)
ours = predict(ladder["... with a kernel"][0], train_rows, test_rows, 0.07)
ridge = Ridge(1.0, solver="sparse_cg", tol=1e-6).fit(stacked[0], old.scores)
assert np.allclose(ridge.predict(stacked[1]), baseline, atol=1e-3)  # the same regression


def grouped(rows, statistic=r_of):
    return evaluation.bootstrap_interval(rows, statistic=statistic, groups=new.groups)


columns = np.column_stack([ours, new.scores, baseline])
r = {"ridge on TF-IDF": grouped(columns[:, [2, 1]])}
r["all features, kernel"] = grouped(columns)
for name, reached in r.items():
    nats = -0.5 * np.log(1 - reached.value**2)
    print(f"{name:22} r = {{:.3f}} [{{:.3f}}, {{:.3f}}], {nats:.2f} nats".format(*reached))
people = np.column_stack([ours, new.scores, *[humans(new, 1, seed) for seed in range(20)]])
minus_baseline = grouped(columns, lambda a: r_of(a) - r_of(a[:, [2, 1]]))
one_human = range(2, people.shape[1], 2)  # first columns of one rating and the mean of the others
minus_human = grouped(people, lambda a: r_of(a) - np.mean([r_of(a[:, i:]) for i in one_human]))
print("minus baseline: {:.3f} [{:.3f}, {:.3f}]".format(*minus_baseline))
print("minus one human: {:.3f} [{:.3f}, {:.3f}]".format(*minus_human))
exercises.verify("better than the baseline", minus_baseline.low > 0)
exercises.verify("below one human", minus_human.high < 0)

# %%
plt.figure(figsize=(6.5, 3))
many = np.array([1, 2, 3, 5, 8, 10])
measured = [np.mean([r_of(humans(new, k, seed)) for seed in range(20)]) for k in many]
plt.plot(many, measured, "o-", label="mean of k humans, against the other humans")
plt.axhline(np.sqrt(reliability), label="upper bound of a model", **figures.TRUTH)
for name, color in zip(r, ("C3", "C1"), strict=True):
    plt.axhline(r[name].value, color=color)
    plt.text(10, r[name].value - 0.004, name, color=color, ha="right", va="top")
plt.gca().set(xlabel="number k of humans", ylabel="correlation r", ylim=(0.74, 1.01), xticks=many)
plt.legend(loc="lower right", bbox_to_anchor=(1, 0.45))
figures.show(
    "Figure 1. The model comes close to one human. The mean of a few humans is far better.",
    alt="Correlation with a mean rating. A curve for the mean of k humans rises from about 0.86 at one human to "
    "0.97 at ten. Two horizontal lines, ridge on TF-IDF and all features with a kernel, lie below its start. A "
    "dashed line just below 1 is the upper bound of a model.",
)

# %% [markdown]
# The model is better than the baseline, and stays below one human. At $k = 10$, only ten other ratings are
# left for most tweets. So both means contain noise, and the curve stays below the upper bound. In
# cross-validation, stems with negation and the PMI vectors give the largest gains. Noise of the ratings
# cannot explain the distance of the model to the upper bound. Among the largest errors are irony (thanks for
# something bad), rare words, and what people know about the world. The last row of the ladder is the best of
# about thirty settings in cross-validation. So only its test value counts.
#
# ## 6. Are there classes without labels?
#
# **Question.** The third article lists language among the applications of clustering by information
# maximization. Do clusters of glosses agree with the 19 classes, if no label is used?
#
# **Idea.** Split the words of a gloss at random into two halves. Both halves describe the same thing, so the
# cluster of one half should predict the cluster of the other. A linear layer and a softmax give the cluster
# probabilities. The layer begins with the centers of k-means.
#
# **Formula.** Let $C, C'$ be the clusters of the two halves, with $p(c, c') = \mathbb{E}\, p(c \mid x)\,
# p(c' \mid x')$ over pairs of halves. *Invariant information clustering* (IIC, Ji et al. 2019) maximizes
# $I(C; C')$. The upper bound is $H(C) \le \ln 19$. A gloss is described by the mean of its PMI vectors (100
# numbers), minus the mean of all glosses, scaled to length 1. The first words of a gloss often name the kind
# of thing, so the word in place $i = 0, 1, \ldots$ has the weight $(1 + i)^{-1/2}$, times its inverse
# document frequency.
#
# **Baselines.** k-means on *LSA* (an SVD of TF-IDF), k-means on the same vectors as IIC, and random
# clusters. The *accuracy* uses the best one-to-one assignment of clusters to classes, so random clusters
# reach more than 1/19. The *NMI* is the mutual information of cluster and class, divided by the mean of
# their entropies. All methods learn from training glosses and predict for test glosses. No fit sees a label.
# But four settings of IIC were compared on test glosses, so its value may be slightly too high.

# %%
figures.diagram("gloss_halves")
figures.show(
    "Figure 2. The cluster of one half of a gloss should predict the cluster of the other half.",
    alt="Diagram. Two halves of the words of a gloss go through one linear layer and a softmax, which "
    "give clusters c and c'. Their joint table gives the information I(C; C').",
)
rarity = np.log(len(known) / (1 + np.asarray(counts.sum(axis=0)).ravel()))


def weighted(texts):
    rows, columns, weights = [], [], []
    for row, text in enumerate(texts):
        for place, word in enumerate(words_of(text)):
            column = vocabulary.vocabulary_.get(word)
            if column is not None:
                rows.append(row)
                columns.append(column)
                weights.append(rarity[column] / np.sqrt(1 + place))
    return sparse.csr_matrix((weights, (rows, columns)), (len(texts), len(rarity)))


# %%
few = word_vectors(100)
weights = {split: weighted(some.texts) for split, some in glosses.items()}
middle = normalize(weights["train"] @ few).mean(axis=0)
meaning = {split: normalize(normalize(w @ few) - middle) for split, w in weights.items()}


# %%
def halves(w, rng):
    first = rng.random(w.nnz) < 0.5
    both = [w.copy(), w.copy()]
    both[0].data *= first
    both[1].data *= ~first
    rows = [normalize(normalize(half @ few) - middle) for half in both]
    return [torch.from_numpy(some).float() for some in rows]


def information_clusters(seed, steps=300):
    rng = np.random.default_rng(seed)
    means = KMeans(19, n_init=1, random_state=seed).fit(meaning["train"])
    network = nn.Linear(100, 19, bias=False)
    network.weight.data = torch.from_numpy(4 * normalize(means.cluster_centers_)).float()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(steps):
        a, b = halves(weights["train"][rng.integers(len(y), size=1024)], rng)
        nats = iic(network(a), network(b))
        optimizer.zero_grad()
        (-nats).backward()
        optimizer.step()
    return network(torch.from_numpy(meaning["test"]).float()).argmax(dim=1).numpy(), nats.item()


# %%
lsa = TruncatedSVD(100, random_state=0)
plain_words = tfidf_of(texts, new_texts, stop_words="english", min_df=3)
lsa_rows = [normalize(lsa.fit_transform(plain_words[0])), normalize(lsa.transform(plain_words[1]))]
found = {name: [] for name in ("random", "k-means, LSA", "k-means, PMI", "information, PMI")}
for seed in range(3):
    means = KMeans(19, n_init=3, random_state=seed)
    found["random"].append(np.random.default_rng(seed).integers(19, size=len(new_y)))
    found["k-means, LSA"].append(means.fit(lsa_rows[0]).predict(lsa_rows[1]))
    found["k-means, PMI"].append(means.fit(meaning["train"]).predict(meaning["test"]))
    clusters, iic_nats = information_clusters(seed)
    found["information, PMI"].append(clusters)
for name, clusterings in found.items():
    compared = evaluation.cluster_table(new_y, dict(enumerate(clusterings)))
    accuracy, nmi = (evaluation.seed_interval(compared[some]) for some in ("accuracy", "NMI"))
    print(
        f"{name:17} accuracy {{:.3f}} [{{:.3f}}, {{:.3f}}]".format(*accuracy),
        f"NMI {nmi.value:.3f}",
    )
print(f"I(C; C') in the last batch: {iic_nats:.2f} nats of at most {np.log(19):.2f}")

# %% [markdown]
# All three methods agree with the classes far better than random clusters. PMI vectors are much better than
# LSA. Information maximization is *not* better than k-means on the same vectors, although it begins with
# centers of k-means, and varies more between seeds. A likely reason is in the last line: $I(C; C')$ of the
# two halves is less than a third of $\ln 19$ nats. A half of a short definition often does not show what kind
# of thing is defined.
#
# ## What the article gets wrong
#
# The first article (section 6.2) says that a text encoder and a label encoder with maximal mutual
# information improve the accuracy of text classification. With all labels as candidates, this is
# classification with cross-entropy (section 3). Logistic regression on word counts is as good. The article
# names sentiment analysis and text generation, but gives no data and no comparison with humans. The third
# article names language among the applications of its clustering, without an example. In section 6, clusters
# agree with known classes only in part, and the vectors matter more than the objective.
#
# ## Appendix: Can a picture be given a name?
#
# **Question.** Notebook 15 *finds* the name of a picture among given names. Can a model *generate* it?
#
# **Formula.** A *decoder* gives the probability of a name, word by word: $q(w_1, \ldots, w_L \mid x) =
# \prod_i q(w_i \mid w_1, \ldots, w_{i-1}, x)$. Training maximizes $\mathbb{E} \ln q(\text{name} \mid
# \text{picture})$. By the bound of Barber and Agakov (notebook 03), $H(\text{name}) + \mathbb{E} \ln q \le
# I(\text{picture}; \text{name})$ on new pairs. All names differ, so $H(\text{name}) = \ln N$ for $N$ pairs.
#
# **Metrics.** *Exact match*, and the *edit distance*: the smallest number of characters to insert, delete
# or replace, divided by the length of the longer text. It is 0 for equal texts and at most 1.
#
# **Two tests.** The model is trained on Noto pictures of training families. (A) *New design*: the Twemoji
# pictures of every fourth of these emoji, whose names were in training. (B) *New families*: Noto pictures
# of test families. **Baselines.** The name of the *nearest* training picture (Euclidean distance of
# pixels), a *central* name for all pictures (of 150 training names, the one with the smallest mean edit
# distance to the others), and a *random* training name.
#
# ### Exercise 2 · ★ · 1 minute · predict
#
# All 1,906 names differ. In test (B), the exact match of the *nearest* baseline is (a) exactly 0, (b) about
# as high as in test (A), (c) about 1/377, chance.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("nearest name", my_prediction_2)


# %%
def edit_distance(a, b):
    """Smallest number of characters to insert, delete or replace that turns a into b."""
    costs = list(range(len(b) + 1))  # from the empty start of a to each start of b
    for row, letter in enumerate(a, 1):
        previous, costs[0] = costs[0], row
        for column, other in enumerate(b, 1):
            replaced = previous + (letter != other)
            previous = costs[column]
            costs[column] = min(costs[column] + 1, costs[column - 1] + 1, replaced)
    return costs[-1]


def distance_of(a, b):
    return edit_distance(a, b) / max(len(a), len(b))


assert edit_distance("kitten", "sitting") == 3
tokenizer = Tokenizer.from_texts(emoji["train"].names["en"])
names = {split: [name.lower() for name in some.names["en"]] for split, some in emoji.items()}
names["train"] = tokenizer.decode(tokenizer.encode(names["train"]))  # without punctuation
names["test"] = [re.sub(r"[:,!()“”.]", "", name) for name in names["test"]]


# %%
encoder = ImageEncoder(3, 128, width=8, turn=10, seed=0)
pictures = {
    "training": encoder.prepare(emoji["train"].pictures("noto")),
    "A, new design": encoder.prepare(emoji["train"].pictures("twemoji")[::4]),
    "B, new families": encoder.prepare(emoji["test"].pictures("noto")),
}
truth = {"A, new design": names["train"][::4], "B, new families": names["test"]}
rng = np.random.default_rng(0)
sample = rng.choice(names["train"], 150)
central = min(sample, key=lambda name: np.mean([distance_of(name, other) for other in sample]))
made = {}
for test, references in truth.items():
    closest = torch.cdist(pictures[test].flatten(1), pictures["training"].flatten(1)).argmin(dim=1)
    made[test, "random"] = list(rng.choice(names["train"], len(references)))
    made[test, "central"] = [central] * len(references)
    made[test, "nearest"] = [names["train"][i] for i in closest]


# %%
def changed(images, generator):
    images = encoder.augment(images, generator)
    mirror = torch.rand(len(images), generator=generator) < 0.5
    images[mirror] = images[mirror].flip(3)
    factors = 1 + 0.4 * (torch.rand(len(images), 3, 1, 1, generator=generator) - 0.5)
    return (images * factors).clamp(0, 1)


decoder = CaptionDecoder(tokenizer, 128, hidden=128, seed=0)
numbers, generator = tokenizer.encode(names["train"]), torch.Generator().manual_seed(0)
parameters, steps = [*encoder.parameters(), *decoder.parameters()], 1000
optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0.05)
rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
for _ in range(steps):
    rows = torch.randint(len(numbers), (32,), generator=generator)
    h = encoder(changed(pictures["training"][rows], generator))
    loss = decoder({"x": numbers[rows], "condition": h})["nats"].mean()  # -ln q
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    rate.step()
encoder = encoder.eval()

# %%
naming = {}
for test, references in truth.items():
    with torch.no_grad():
        h = encoder(pictures[test])
    made[test, "generated"] = decoder.sample(h, temperature=0, longest=8)
    for (_, method), names_made in [item for item in made.items() if item[0][0] == test]:
        pairs = list(zip(names_made, references, strict=True))
        distance = evaluation.bootstrap_interval([distance_of(a, b) for a, b in pairs])
        row = {"exact": np.mean([a == b for a, b in pairs]), "edit distance": distance.value}
        naming[f"{test}: {method}"] = row | {"from": distance.low, "to": distance.high}
print(pd.DataFrame(naming).T.round(3).to_string())

# %%
with torch.no_grad():
    h = encoder(pictures["A, new design"])
    log_q = -decoder({"x": numbers[::4], "condition": h})["nats"].mean().item()
print(f"A: ln {len(h)} + E ln q = {np.log(len(h)) + log_q:.2f} nats, at most {np.log(len(h)):.2f}")
known_words = {word for name in names["train"] for word in name.split()}
new_words = [any(word not in known_words for word in name.split()) for name in names["test"]]
print(f"B: {sum(new_words)} of {len(new_words)} names have a word that is in no training name")
nearest_exact = naming["B, new families: nearest"]["exact"]
exercises.verify("the nearest name is never correct for new families", nearest_exact == 0)
exercises.verify("the bound holds", log_q < 0)

# %%
shown = np.arange(10, 377, 47)
fig, axes = plt.subplots(2, 4, figsize=(10, 4.6), layout="constrained")
for ax, row in zip(axes.ravel(), shown, strict=True):
    ax.imshow(emoji["test"].pictures("noto")[row])
    lines = [made["B, new families", method][row] for method in ("nearest", "generated")]
    lines = [line[:26] for line in (names["test"][row], *lines)]
    ax.set_title("true: {}\nnearest: {}\ngenerated: {}".format(*lines), fontsize=8)
    ax.set(xticks=[], yticks=[])
figures.show(
    "Figure 3. Some generated names of new families name a similar kind of thing. None is correct.",
    alt="Eight emoji of test families, every 47th of the test set, each with three lines: its name, the name of "
    "the nearest training picture, and the generated name. Some generated names are close, such as face with tongue for sneezing face; others, such as a flag for a camera, are not.",
)

# %% [markdown]
# In the figure, names are cut after 26 letters. The generated names are not better than the name of the
# nearest picture. For known emoji in a new design (A), the nearest picture is far better in both metrics. For
# new families (B), no method is exactly correct, and the edit distances of nearest and generated names are
# about equal. In (A), the bound in nats is below 0: the decoder is too sure of wrong names. There are two
# likely reasons. 1,529 pictures of one design do not show what a design may change (notebook 15 trains with
# both). And 289 of 377 new names have a word that no training name has. The decoder cannot write such a word.
#
# ## Recap
#
# - $I(W; W')$ is the mean of PMI over pairs of words. The SVD of positive PMI gives word vectors.
# - With labels, InfoNCE is $\ln 19$ minus the cross-entropy. Here it does not beat word counts.
# - The reliability of the mean rating gives the upper bound of a model. One human has much more noise.
# - The sentiment model gains from word vectors, style and a kernel, and stays below one human.
# - Clusters by information find part of the classes. k-means on the same vectors is as good.
# - No generated name of a new family is exactly correct. Its edit distance is that of the nearest name.
# - Variants of a text are leaks, too, although the texts are not equal.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/16_language.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/16_language.ipynb).
#
# ### Exercise 3 · ★★ · 4 minutes · derive
#
# Use the model of section 4. Start from the means of $k$ people and of $m$ other people, $S + \bar E_k$ and
# $S + \bar E_m$. Compute their covariance and both variances. Return the correlation.


# %% tags=["exercise"]
def my_correlation(signal, noise, k, m):
    """Return the correlation of both means, for the variances signal (S) and noise (E)."""
    # your code


exercises.check("two groups of people", my_correlation)

# %% [markdown]
# ### Exercise 4 · ★★ · 4 minutes · function
#
# Compute the positive PMI of a table of counts: PMI in nats where it is positive, and 0 elsewhere, also
# where the count is 0.


# %% tags=["exercise"]
def my_ppmi(counts):
    """Return the positive PMI in nats of a table of counts (rows, columns)."""
    # your code


exercises.check("positive pmi", my_ppmi)

# %% [markdown]
# ### Exercise 5 · ★★ · 2 minutes · find the bug
#
# This program should estimate the correlation of a sentiment model on new tweets. Its result is too high.
# Which line is wrong?
#
# ```python
# 1  some = datasets.load_tweets("train")
# 2  predicted = np.zeros(len(some.scores))
# 3  for rows, others in evaluation.shuffled_folds(some.scores > 0, folds=5):
# 4      tfidf = TfidfVectorizer().fit([some.texts[i] for i in rows])
# 5      x, new_x = (tfidf.transform([some.texts[i] for i in part]) for part in (rows, others))
# 6      predicted[others] = Ridge().fit(x, some.scores[rows]).predict(new_x)
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "6"

exercises.check("tweets in folds", my_wrong_line)

# %% [markdown]
# ### Exercise 6 · ★ · 1 minute · choose
#
# A report says: "Our model has r = 0.90 with the mean of 20 ratings. One human has r = 0.87. So the model
# understands sentiment better than people do." What is the best reply? (a) Correct: 0.90 is more than 0.87.
# (b) A correlation above one human is impossible, so there is a leak. (c) One human has the noise of one
# person. The mean of a few people is far above 0.90.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("better than people", my_choice)

# %% [markdown]
# ## What to try next
#
# - Add your own list of positive and negative words as two features of section 5. Choose its words without
#   test tweets.
# - Train with the ratings of only 2 people for each tweet. How much does the correlation fall?
# - Give the halves of section 6 another meaning: the gloss, and the words that it defines.
# - Train the names of the appendix with pictures of both designs, or in another language.
#
# ## References
#
# - Levy, O., & Goldberg, Y. (2014). Neural word embedding as implicit matrix factorization. https://papers.nips.cc/paper/2014/hash/feab05aa91085b7a8012516bc3533958-Abstract.html
# - Levy, O., Goldberg, Y., & Dagan, I. (2015). Improving distributional similarity with lessons learned from word embeddings. https://doi.org/10.1162/tacl_a_00134
# - Ji, X., Henriques, J., & Vedaldi, A. (2019). Invariant information clustering for unsupervised image classification and segmentation. https://arxiv.org/abs/1807.06653
# - Hutto, C., & Gilbert, E. (2014). VADER: a parsimonious rule-based model for sentiment analysis of social media text. https://doi.org/10.1609/icwsm.v8i1.14550
# - Miller, G. (1995). WordNet: a lexical database for English. https://doi.org/10.1145/219717.219748
#
# Previous: [15 · Labels as a modality](15_labels_as_a_modality.ipynb) · Next: [17 · Medicine](17_medicine.ipynb)
