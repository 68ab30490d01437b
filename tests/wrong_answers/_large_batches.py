import math

WRONG = {
    "merge sums": {
        "sums added": lambda a, s, b, t: (max(a, b), s + t),
        "always in units of the first": lambda a, s, b, t: (a, s + t * math.exp(min(b - a, 50))),
        "scaled the wrong way": lambda a, s, b, t: (
            max(a, b), s * math.exp(min(max(a, b) - a, 50)) + t * math.exp(min(max(a, b) - b, 50))
        ),
        "no top": lambda a, s, b, t: (0.0, s * math.exp(a) + t * math.exp(b)),
    },
    "largest batch": {
        "numbers of one byte": lambda memory, matrices: math.isqrt(int(memory / matrices)),
        "rounded": lambda memory, matrices: round(math.sqrt(memory / (4 * matrices))),
        "one matrix": lambda memory, matrices: math.isqrt(int(memory / 4)) + (matrices == 1),
        "no root": lambda memory, matrices: int(memory / (4 * matrices)),
    },
}  # fmt: skip
