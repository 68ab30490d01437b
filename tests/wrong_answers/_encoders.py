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
}
