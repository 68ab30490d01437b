"""Claims of the experiments on decisions: `reproduction.experiments.decisions`."""

from reproduction.claims import Claim

VALIDATION = "validation part of the training items"
SAME = "the same run"


def _claim(key: str, name: str, truth: str, source: str = VALIDATION, **others: object) -> Claim:
    return Claim(id=key, name=name, truth=truth, source=source, notebook="19", **others)


CLAIMS = (
    _claim(
        "question-alone",
        "accuracy of the most frequent answer to each question, 9,673 test questions",
        "counts of all questions: 66.8 %; always the most frequent answer: 37.3 %",
        "counting",
        unit="%",
        at_least=0.66,
        at_most=0.68,
    ),
    _claim(
        "image-alone",
        "accuracy of a network that sees the image without the question",
        "always the most frequent answer: 37.3 %",
        SAME,
        unit="%",
        at_most=0.40,
    ),
    _claim(
        "image-and-question",
        "accuracy of a network that sees image and question",
        "upper bound: 100 %; validation: 99.7 %",
        unit="%",
        at_least=0.98,
        worst_at_least=0.97,
    ),
    _claim(
        "image-nats",
        "lower bound on I(answer; image | question), part of H(answer | question)",
        "all of it: 100 %",
        "the image and the question determine the answer",
        unit="%",
        at_least=0.93,
        at_most=1.0,
    ),
    _claim(
        "simulated-memory-gain",
        "simulated people: hit@10 of a memory of people minus item kNN",
        "equal: 0 points; validation: 1.5 points",
        unit="points",
        at_least=0.0,
    ),
    _claim(
        "simulated-infonce-gain",
        "simulated people: hit@10 of InfoNCE minus item kNN",
        "equal: 0 points",
        SAME,
        unit="points",
        at_least=0.0,
        worst_at_least=0.0,
    ),
    _claim(
        "simulated-bayes-gap",
        "simulated people: hit@10 of Bayes' rule minus InfoNCE",
        "the best possible: 0 points",
        "the rates that made the people",
        unit="points",
        at_least=0.0,
        at_most=0.05,
    ),
    _claim(
        "spoken-questions",
        "is the spoken digit one of two images? accuracy without training for it",
        "one modality alone: 50 %; training items: 100 %",
        "the answer is independent of each modality",
        unit="%",
        at_least=0.95,
    ),
    _claim(
        "memory-return",
        "return of an agent with a memory after 20 episodes, 9 rooms",
        "optimal: 0.881; random actions: 0.269",
        "dynamic programming; other seeds and training pictures: 0.80",
        at_least=0.75,
        worst_at_least=0.5,
    ),
    _claim(
        "memory-over-linear",
        "the same minus linear Q-learning with equally many episodes",
        "equal: 0",
        SAME,
        at_least=0.1,
    ),
    _claim(
        "forgetting-return",
        "return 80 episodes after the goal has moved, memory of 150 steps",
        "optimal: 0.881; other seeds and training pictures: 0.87",
        "dynamic programming",
        at_least=0.75,
    ),
    _claim(
        "no-limit-return",
        "the same, memory without a limit",
        "random actions: 0.269",
        "dynamic programming",
        at_most=0.269,
    ),
    _claim(
        "heads-digit-gain",
        "accuracy of digits: two heads, 120 steps, minus one network for it with 60 steps",
        "equal: 0 points; validation: 2.6 points",
        unit="points",
        at_least=0.0,
    ),
    _claim(
        "heads-angle-gain",
        "error of angles in degrees: one network for it with 60 steps minus two heads, 120 steps",
        "equal: 0; validation: 1.2",
        at_least=0.0,
    ),
    _claim(
        "learned-angle-gain",
        "error of angles in degrees: equal weights minus learned weights of the tasks",
        "equal: 0; validation: 0.6",
        at_least=0.0,
    ),
    _claim(
        "learned-digit-gain",
        "accuracy of digits: learned weights of the tasks minus equal weights",
        "equal: 0 points",
        SAME,
        unit="points",
        at_least=0.0,
    ),
)

NOTE = "research before this experiment, with other hidden visits"

VISITS_CLAIMS = (
    _claim(
        "popularity",
        "hit@10 of popularity, one hidden visit of each of 3,453 people",
        "10 random areas: 3.4 %; another draw of hidden visits: 63.7 %",
        NOTE,
        unit="%",
        at_least=0.617,
        at_most=0.657,
    ),
    _claim(
        "popularity-ndcg",
        "NDCG@10 of popularity",
        "another draw: 0.408",
        NOTE,
        at_least=0.388,
        at_most=0.428,
    ),
    _claim(
        "item-knn",
        "hit@10 of item kNN",
        "popularity: 63.7 %; another draw: 75.1 %",
        NOTE,
        unit="%",
        at_least=0.731,
        at_most=0.771,
    ),
    _claim(
        "item-knn-ndcg",
        "NDCG@10 of item kNN",
        "another draw: 0.519",
        NOTE,
        at_least=0.499,
        at_most=0.539,
    ),
    _claim(
        "memory",
        "hit@10 of a memory of people",
        "validation people: 79.9 %",
        unit="%",
        at_least=0.77,
    ),
    _claim(
        "memory-ndcg",
        "NDCG@10 of a memory of people",
        "validation people: 0.572",
        at_least=0.54,
    ),
    _claim(
        "infonce",
        "hit@10 of vectors of areas, trained by InfoNCE",
        "validation people: 80.3 %",
        unit="%",
        at_least=0.78,
    ),
    _claim(
        "infonce-ndcg",
        "NDCG@10 of vectors of areas",
        "validation people: 0.586",
        at_least=0.55,
    ),
    _claim(
        "memory-gain",
        "hit@10 of a memory of people minus item kNN",
        "equal: 0 points",
        SAME,
        unit="points",
        at_least=0.01,
    ),
    _claim(
        "infonce-gain",
        "hit@10 of vectors of areas minus item kNN",
        "equal: 0 points",
        SAME,
        unit="points",
        at_least=0.01,
    ),
)

NLVR_CLAIMS = (
    _claim(
        "nlvr-majority",
        "NLVR, 990 test sentences: always the most frequent label",
        "research: 56.2 %",
        "counting",
        unit="%",
        at_least=0.54,
        at_most=0.58,
    ),
    _claim(
        "nlvr-people",
        "NLVR: people's votes that agree with the label",
        "research: 95.5 %",
        "counting",
        unit="%",
        at_least=0.95,
        at_most=0.96,
    ),
    _claim(
        "nlvr-text",
        "NLVR: logistic regression on the words alone",
        "research: 56.1 %; people: 95.5 %",
        "research before this experiment",
        unit="%",
        at_most=0.62,
    ),
    _claim(
        "nlvr-scene",
        "NLVR: forest on the words and on counts of the true shapes",
        "research: 58.6 %; people: 95.5 %",
        "research before this experiment",
        unit="%",
        at_most=0.65,
    ),
)
