import numpy as np


def pointwise(table):
    p = table / table.sum()
    return np.log(p / np.outer(p.sum(axis=1), p.sum(axis=0)))


def mel(hertz):
    return 2595 * np.log10(1 + hertz / 700)


def hertz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def layers(
    n,
    kernels,
    strides,
    paddings,
    size=lambda n, k, s, p: (n + 2 * p - k) // s + 1,
    field=lambda k, step, s: (k - 1) * step,
):
    seen, step = 1, 1
    for k, s, p in zip(kernels, strides, paddings, strict=True):
        n, seen, step = size(n, k, s, p), seen + field(k, step, s), step * s
    return n, seen


WRONG = {
    "layers": {
        "padding on one side": lambda *a: layers(*a, size=lambda n, k, s, p: (n + p - k) // s + 1),
        "the first place forgotten": lambda *a: layers(*a, size=lambda n, k, s, p: (n - k) // s),
        "not rounded": lambda *a: layers(*a, size=lambda n, k, s, p: (n + 2 * p - k) / s + 1),
        "only the stride": lambda *a: layers(*a, size=lambda n, k, s, p: n // s),
        "strides ignored": lambda *a: layers(*a, field=lambda k, step, s: k - 1),
        "its own stride at once": lambda *a: layers(
            *a, field=lambda k, step, s: (k - 1) * step * s
        ),
        "windows not reduced by one": lambda *a: layers(*a, field=lambda k, step, s: k * step),
        "the other way round": lambda *a: layers(*a)[::-1],
    },
    "mel peaks": {
        "even in hertz": lambda low, high, mels: np.linspace(low, high, mels + 2)[1:-1],
        "the ends taken for peaks": lambda low, high, mels: hertz(
            np.linspace(mel(low), mel(high), mels)
        ),
        "in mel": lambda low, high, mels: np.linspace(mel(low), mel(high), mels + 2)[1:-1],
        "corners": lambda low, high, mels: hertz(np.linspace(mel(low), mel(high), mels + 2)),
    },
    "pointwise information": {
        "log of the joint": lambda table: np.log(table / table.sum()),
        "not divided by the total": lambda table: np.log(
            table / np.outer(table.sum(axis=1), table.sum(axis=0))
        ),
        "bits": lambda table: pointwise(table) / np.log(2),
        "weighted": lambda table: table / table.sum() * pointwise(table),
        "conditional": lambda table: np.log(table / table.sum(axis=1, keepdims=True)),
        "transposed": lambda table: pointwise(table).T,
        "cut off at zero": lambda table: np.maximum(pointwise(table), 0),
    },
}
