import numpy as np


def _best_of_test(train, test):
    return np.max(test, axis=1).sum() / np.sum(test)


def _mean_of_questions(train, test):
    test = np.asarray(test, float)
    correct = test[np.arange(len(test)), np.argmax(train, axis=1)]
    return np.mean(correct / np.maximum(test.sum(axis=1), 1))


def _one_answer(train, test):
    return np.sum(test, axis=0)[np.sum(train, axis=0).argmax()] / np.sum(test)


WRONG = {
    "question-only accuracy": {
        "answers chosen on the test": _best_of_test,
        "questions weighted equally": _mean_of_questions,
        "one answer for all questions": _one_answer,
    },
    "learned weight": {
        "the place of the minimum": lambda L: np.log(L),
        "weight fixed at 1": lambda L: L / 2,
        "without the penalty": lambda L: 0.5,
    },
}
