"""Decisions: recommendation, questions about images, an agent with a memory, and two heads.

Bounds come from validation parts of the training items, from other seeds, from chance or from an
upper bound. docs/EVALUATION.md says which test values had been seen.
"""

import json
import lzma
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from reproduction.claims import Experiment, Setting
from reproduction.experiments.decisions_claims import CLAIMS, NLVR_CLAIMS, VISITS_CLAIMS
from reproduction.experiments.decisions_heads import step, train_heads
from simmim_lite import datasets, entropy, evaluation
from simmim_lite.encoders import AudioEncoder, ImageEncoder, seeded
from simmim_lite.evaluation import Interval
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax
from simmim_lite.training import load_trained

STEPS, DISCOUNT, GOAL = 10, 0.9, 8
ACTIONS = ("up", "down", "left", "right")


# --- recommendation ------------------------------------------------------------------------


def simulated_rates() -> np.ndarray:
    """Probabilities (15, 294) of visits, by latent interest and area."""
    taste = np.exp(1.8 * np.random.default_rng(0).standard_normal((15, 294)))
    rates = taste / np.arange(1, 295) ** 1.1
    return np.minimum(3 * rates / rates.sum(axis=1, keepdims=True), 0.9)


def simulated_visits(count: int, rates: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((count, 294)) < rates[rng.integers(len(rates), size=count)]


def hide_one(visits: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Queries and hidden targets of the people with two visits or more."""
    queries = visits[visits.sum(axis=1) >= 2].copy()
    targets = (queries * np.random.default_rng(seed).random(queries.shape)).argmax(axis=1)
    queries[np.arange(len(queries)), targets] = False
    return queries, targets


def places(scores: np.ndarray, queries: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Rank 0, 1, ... of each target; ties count half."""
    scores = np.where(queries, -np.inf, scores)
    own = scores[np.arange(len(targets)), targets][:, None]
    return (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2


def _logits(query: Tensor, a: Tensor, b: Tensor, prior: Tensor) -> Tensor:
    f = query @ a / query.sum(dim=1, keepdim=True).sqrt() @ b.T
    return (f + prior).masked_fill(query > 0, -1e9)


def item_vectors(visits: np.ndarray, prior: Tensor, seed: int) -> list[Tensor]:
    """Vectors of all areas by InfoNCE with all areas as candidates."""
    rows = torch.from_numpy(visits[visits.sum(axis=1) >= 2]).float()
    generator = torch.Generator().manual_seed(seed)
    vectors = [nn.Parameter(v) for v in 0.1 * torch.randn(2, 294, 32, generator=generator)]
    optimizer = torch.optim.Adam(vectors, lr=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=1000)
    for _ in range(1000):
        batch = rows[torch.randint(len(rows), (256,), generator=generator)]
        target = (batch * torch.rand(batch.shape, generator=generator)).argmax(dim=1)
        query = batch.scatter(1, target[:, None], 0.0)
        loss = F.cross_entropy(_logits(query, *vectors, prior), target)
        step(optimizer, rate, loss)
    return [v.detach() for v in vectors]


def recommend(
    people: np.ndarray, new_people: np.ndarray, seed: int, rates: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Ranks of hidden visits for each recommender."""
    queries, targets = hide_one(new_people, 1)
    x = people.astype(float)
    size = np.sqrt(np.maximum(x.sum(axis=0), 1))
    cosines = x.T @ x / np.outer(size, size)
    np.fill_diagonal(cosines, 0)
    popularity = (x.sum(axis=0) + 1) / (x.sum() + 294)
    given = torch.from_numpy(queries).float()
    memory = SimulatedMemory(294)
    memory.write({"visits": torch.from_numpy(people[people.sum(axis=1) >= 2]).float()})
    attention = memory.read(given, "visits", None, mode="attend", beta=16.0)
    prior = torch.from_numpy(popularity).float().log()
    scores = {
        "popularity": np.tile(popularity, (len(queries), 1)),
        "item-knn": queries @ cosines,
        "memory": 0.99 * attention.key.numpy() + 0.01 * popularity,
        "infonce": _logits(given, *item_vectors(people, prior, seed), prior).double().numpy(),
    }
    if rates is not None:
        likelihood = queries @ np.log(rates / (1 - rates)).T + np.log(1 - rates).sum(axis=1)
        scores["bayes"] = np.exp(likelihood) @ (rates / (1 - rates))
    return {name: places(some, queries, targets) for name, some in scores.items()}


def real_visits(setting: Setting) -> dict[str, float | Interval]:
    ranks = recommend(datasets.load_visits("train")[0], datasets.load_visits("test")[0], 0)
    found: dict[str, float | Interval] = {}
    for name, r in ranks.items():
        found[name] = evaluation.wilson_interval(r < 10)
        found[f"{name}-ndcg"] = evaluation.bootstrap_interval(
            np.where(r < 10, 1 / np.log2(r + 2), 0)
        )
    for name in ("memory", "infonce"):
        difference = (ranks[name] < 10).astype(float) - (ranks["item-knn"] < 10)
        found[f"{name}-gain"] = evaluation.bootstrap_interval(difference)
    return found


# --- questions -----------------------------------------------------------------------------


class Answers(nn.Module):
    """Logits of 13 answers for images and the words of questions about them."""

    def __init__(self, words: int, use_question: bool, seed: int):
        super().__init__()
        self.use_question, layers = use_question, []
        with seeded(seed):
            for inputs, outputs in ((3, 8), (8, 16), (16, 16)):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)]
                layers += [nn.ReLU(), nn.MaxPool2d(2)]
            layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(16, 128)]
            self.image = nn.Sequential(*layers)
            self.question = nn.Sequential(nn.Linear(words, 128), nn.ReLU(), nn.Linear(128, 128))
            self.answer = nn.Linear(128, 13)

    def forward(self, images: Tensor, rows: Any, words: Tensor) -> Tensor:
        seen = self.image(images)[rows]
        question = self.question(words) if self.use_question else torch.ones_like(seen)
        return self.answer(F.relu(seen * question))


def questions(seed: int) -> dict[str, float]:
    train, test = (datasets.load_visual_questions(split) for split in ("train", "test"))
    texts = sorted(set(train.questions))
    number = {text: i for i, text in enumerate(texts)}
    t, new_t = (np.array([number[text] for text in some.questions]) for some in (train, test))
    table = np.zeros((len(texts), 13))
    np.add.at(table, (t, train.labels), 1)
    x, new_x = (
        F.avg_pool2d(torch.from_numpy(some.images).permute(0, 3, 1, 2) / 255, 2)
        for some in (train, test)
    )
    bags = CountVectorizer(binary=True, token_pattern=r"\w+").fit_transform(texts).toarray()
    words = torch.from_numpy(bags).float()
    of_image = [np.flatnonzero(train.rows == image) for image in range(len(x))]

    def logits(steps: int, use_question: bool) -> Tensor:
        network = Answers(words.shape[1], use_question, seed)
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
        rng = np.random.default_rng(seed)
        for _ in range(steps):
            chosen = rng.choice(len(x), 64, replace=False)
            rows = np.concatenate([of_image[image] for image in chosen])
            place = np.repeat(np.arange(64), [len(of_image[image]) for image in chosen])
            found = network(x[chosen], place, words[t[rows]])
            step(optimizer, rate, F.cross_entropy(found, torch.from_numpy(train.labels[rows])))
        with torch.no_grad():
            return network.eval()(new_x, test.rows, words[new_t])

    both, image = logits(600, True), logits(100, False)
    y = torch.from_numpy(test.labels)
    remaining = entropy.sample_entropy(test.labels)
    remaining -= entropy.sample_mutual_information(new_t, test.labels)
    return {
        "question-alone": float((table.argmax(axis=1)[new_t] == test.labels).mean()),
        "image-alone": float((image.argmax(dim=1) == y).float().mean()),
        "image-and-question": float((both.argmax(dim=1) == y).float().mean()),
        "image-nats": (remaining - F.cross_entropy(both, y).item()) / remaining,
    }


def human_sentences(setting: Setting) -> dict[str, float | Interval]:
    """NLVR: sentences of people about drawn scenes, true or false."""
    path = Path(os.environ.get("SIMMIM_DATA", ""), "applications", "nlvr", "nlvr.jsonl.xz")
    if not path.is_file():
        raise FileNotFoundError(f"SIMMIM_DATA: expected a folder with {path} (data/README.md)")
    rows = [json.loads(line) for line in lzma.decompress(path.read_bytes()).splitlines()]
    sentences = np.array([row["sentence"] for row in rows])
    test = np.array([row["split"] == "test" for row in rows])
    train = ~test & ~np.isin(sentences, sentences[test])  # some sentences recur
    y = np.array([str(row["label"]).lower() == "true" for row in rows])
    words = CountVectorizer(ngram_range=(1, 2), min_df=3, binary=True).fit(sentences[train])
    bags = words.transform(sentences).tocsr()
    counts = np.array([_scene(row["structured_rep"]) for row in rows], float)
    both = sparse.hstack([bags, counts]).tocsr()
    alone = LogisticRegression(C=0.1, max_iter=1000).fit(bags[train], y[train])
    forest = RandomForestClassifier(300, min_samples_leaf=3, random_state=0, n_jobs=1)
    forest.fit(both[train], y[train])
    majority = y[train].mean() > 0.5
    votes = [
        [vote == row["label"] for vote in row["evals"].values()]
        for row in rows
        if row["split"] == "test"
    ]
    agreed = np.concatenate(votes).astype(float)
    sentence = np.repeat(np.arange(len(votes)), list(map(len, votes)))
    return {
        "nlvr-people": evaluation.bootstrap_interval(agreed, groups=sentence),
        "nlvr-majority": evaluation.wilson_interval(y[test] == majority),
        "nlvr-text": evaluation.wilson_interval(alone.predict(bags[test]) == y[test]),
        "nlvr-scene": evaluation.wilson_interval(forest.predict(both[test]) == y[test]),
    }


def _scene(boxes: list[list[dict[str, Any]]]) -> list[float]:
    """Counts of shapes, colors and sizes in all three boxes, sorted by number of objects."""
    found = []
    for box in sorted(boxes, key=len):
        for name, values in (
            ("type", ("square", "circle", "triangle")),
            ("color", ("yellow", "#0099ff", "black")),
            ("size", (10, 20, 30)),
        ):
            kinds = [str(thing[name]).lower() for thing in box]
            found += [sum(str(value) in kind for kind in kinds) for value in values]
    return found


# --- an agent, spoken questions ------------------------------------------------------------


def embedded() -> tuple[dict[str, Any], dict[str, Any], dict[str, dict[str, Tensor]]]:
    """Digits, speech and their embeddings by the model of notebook 06."""
    digits = {split: datasets.load_digits(split, full=False) for split in ("train", "test")}
    speech = {split: datasets.load_speech(split, full=False) for split in ("train", "test")}
    encoders = {
        "image": ImageEncoder(turn=10, seed=0),
        "speech": AudioEncoder(width=48, hidden=32, seed=0),
    }
    model = MultimodalInfoMax(encoders, temperature=1.0, seed=0)
    load_trained("06_model", model)
    z = {
        s: model.project({"image": digits[s].images, "speech": speech[s].waveforms}) for s in digits
    }
    return digits, speech, z


class MemoryAgent:
    def __init__(self, capacity: int | None = None):
        self.memory, self.known, self.returns = SimulatedMemory(64, capacity=capacity), [], []

    def values(self, z: np.ndarray) -> np.ndarray:
        values = np.ones((len(z), 4))
        for number in self.known:
            ids = self.memory.read(torch.from_numpy(z), ACTIONS[number], 11).ids
            values[:, number] = np.array(self.returns)[ids].mean(axis=1)
        return values

    def learn(self, steps: dict[str, np.ndarray]) -> None:
        for number in np.unique(steps["action"]):
            chosen = steps["action"] == number
            self.memory.write({ACTIONS[number]: torch.from_numpy(steps["z"][chosen])})
            self.returns.extend(steps["return"][chosen])
            self.known = sorted({*self.known, number})


class LinearAgent:
    def __init__(self) -> None:
        self.weights = np.zeros((64, 4))

    def values(self, z: np.ndarray) -> np.ndarray:
        return z @ self.weights

    def learn(self, steps: dict[str, np.ndarray]) -> None:
        done = steps["reward"]
        target = done + DISCOUNT * (1 - done) * self.values(steps["new"]).max(axis=1)
        error = target - self.values(steps["z"])[np.arange(len(done)), steps["action"]]
        np.add.at(self.weights.T, steps["action"], 0.3 * error[:, None] * steps["z"])


def _after() -> np.ndarray:
    row, column = np.divmod(np.arange(9), 3)
    rows = (np.maximum(row - 1, 0), np.minimum(row + 1, 2), row, row)
    columns = (column, column, np.maximum(column - 1, 0), np.minimum(column + 1, 2))
    return np.stack([3 * a + b for a, b in zip(rows, columns, strict=True)], axis=1)


def exact_return(choose: Any) -> float:
    """Mean return over all starts by dynamic programming."""
    value = np.zeros(9)
    for _ in range(STEPS):
        value = choose(np.where(_after() == GOAL, 1.0, DISCOUNT * value[_after()]))
    return float(np.delete(value, GOAL).mean())


def episodes(
    agent: Any, goal: int, pictures: list[np.ndarray], rng: Any, count: int, epsilon: float
) -> tuple[dict[str, np.ndarray], float]:
    """Steps of some episodes with their returns, and the mean return."""
    after, room = _after(), rng.choice(np.delete(np.arange(9), goal), count)
    z, walking, steps = np.stack([rng.choice(pictures[r]) for r in room]), np.ones(count, bool), []
    for _ in range(STEPS):
        best = (agent.values(z) + 1e-6 * rng.random((count, 4))).argmax(axis=1)
        action = np.where(rng.random(count) < epsilon, rng.integers(4, size=count), best)
        room = after[room, action]
        reward, new = walking & (room == goal), np.stack([rng.choice(pictures[r]) for r in room])
        steps.append((z, action, reward.astype(float), new, walking))
        walking, z = walking & ~reward, new
    total, parts = np.zeros(count), []
    for z, action, reward, new, walking in reversed(steps):
        total = reward + DISCOUNT * total
        parts.append([some[walking] for some in (z, action, reward, new, total)])
    joined = map(np.concatenate, zip(*parts, strict=True))
    names = ("z", "action", "reward", "new", "return")
    return dict(zip(names, joined, strict=True)), float(total.mean())


def agent_return(
    agent: Any, seed: int, goals: tuple[int, ...], rounds: int, states: Any, digits: Any
) -> float:
    """Return on test pictures after rounds of 4 episodes each."""
    rng, names = np.random.default_rng(seed), np.random.default_rng(seed).permutation(10)[:9]
    pictures = {s: [states[s][digits[s].labels == d] for d in names] for s in states}
    for number in range(rounds):
        goal = goals[number * len(goals) // rounds]
        agent.learn(episodes(agent, goal, pictures["train"], rng, 4, 0.2)[0])
    return episodes(agent, goals[-1], pictures["test"], np.random.default_rng(seed), 64, 0.0)[1]


def spoken_accuracy(digits: Any, speech: Any, z: Any) -> float:
    """Accuracy on the question whether a spoken digit is one of two images; chance 1/2."""
    threshold = None
    for split, seed in (("train", 0), ("test", 1)):
        rng = np.random.default_rng(seed)
        recordings = rng.integers(len(speech[split].labels), size=2000)
        answers, pairs = rng.random(2000) < 0.5, []
        for recording, answer in zip(recordings, answers, strict=True):
            said = speech[split].labels[recording]
            shown = rng.permutation(np.delete(np.arange(10), said))[:2]
            if answer:
                shown[rng.integers(2)] = said
            pairs.append([rng.choice(np.flatnonzero(digits[split].labels == d)) for d in shown])
        heard, seen = z[split]["speech"][recordings], z[split]["image"][np.array(pairs)]
        scores = (heard[:, None] * seen).sum(dim=2).max(dim=1).values.numpy()
        if threshold is None:
            levels = np.sort(scores)
            threshold = levels[((scores > levels[:, None]) == answers).mean(axis=1).argmax()]
    return float(((scores > threshold) == answers).mean())


# --- claims --------------------------------------------------------------------------------


def decisions(setting: Setting) -> dict[str, float]:
    seed, rates = setting.seed, simulated_rates()
    people = (simulated_visits(32_711, rates, 1), simulated_visits(5_000, rates, 2))
    hit = {name: np.mean(r < 10) for name, r in recommend(*people, seed, rates).items()}
    digits, speech, z = embedded()
    states = {s: F.normalize(z[s]["image"], dim=1).numpy() for s in z}
    few = [agent_return(a, seed, (8,), 5, states, digits) for a in (MemoryAgent(), LinearAgent())]
    moved = [agent_return(MemoryAgent(c), seed, (8, 0), 40, states, digits) for c in (150, None)]
    heads = {
        name: train_heads(name, seed, steps) for name, steps in (("equal", 120), ("learned", 120))
    }
    alone = train_heads("digit", seed, 60)[0], train_heads("angle", seed, 60)[1]
    return questions(seed) | {
        "simulated-memory-gain": float(hit["memory"] - hit["item-knn"]),
        "simulated-infonce-gain": float(hit["infonce"] - hit["item-knn"]),
        "simulated-bayes-gap": float(hit["bayes"] - hit["infonce"]),
        "spoken-questions": spoken_accuracy(digits, speech, z),
        "memory-return": few[0],
        "memory-over-linear": few[0] - few[1],
        "forgetting-return": moved[0],
        "no-limit-return": moved[1],
        "heads-digit-gain": heads["equal"][0] - alone[0],
        "heads-angle-gain": alone[1] - heads["equal"][1],
        "learned-angle-gain": heads["equal"][1] - heads["learned"][1],
        "learned-digit-gain": heads["learned"][0] - heads["equal"][0],
    }


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("decisions", CLAIMS, decisions, seeds=5, full=False),
    Experiment("decisions-visits", VISITS_CLAIMS, real_visits, full=True),
    Experiment("decisions-nlvr", NLVR_CLAIMS, human_sentences, full=True),
)
