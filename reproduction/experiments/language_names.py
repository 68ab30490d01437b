"""Names of pictures, generated word by word."""

import re
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite import datasets
from simmim_lite.encoders import ImageEncoder, Tokenizer
from simmim_lite.generation import CaptionDecoder

_NAMES = (
    Claim(
        id="design-exact",
        name="generated names of known emoji in another design, exact match",
        truth="name of the nearest picture: 34.5 %",
        source="the same pictures",
        unit="%",
        notebook="16",
    ),
    Claim(
        id="families-distance",
        name="edit distance of generated names of new families",
        truth="name of the nearest picture: 0.759",
        source="the same pictures",
        notebook="16",
    ),
    Claim(
        id="nearest-families-exact",
        name="exact match of the name of the nearest picture, new families",
        truth="no name is in both parts: 0 %",
        source="all names differ",
        unit="%",
        at_most=0.0,
        worst_at_most=0.0,
        notebook="16",
        target=0.0,
    ),
)


def edit_distance(a: str, b: str) -> float:
    """Characters to insert, delete or replace, divided by the length of the longer text."""
    costs = list(range(len(b) + 1))
    for row, letter in enumerate(a, 1):
        previous, costs[0] = costs[0], row
        for column, other in enumerate(b, 1):
            replaced = previous + (letter != other)
            previous = costs[column]
            costs[column] = min(costs[column] + 1, costs[column - 1] + 1, replaced)
    return costs[-1] / max(len(a), len(b))


def writer(
    images: Tensor, numbers: Tensor, tokenizer: Tokenizer, seed: int, steps: int = 1000
) -> Callable[[Tensor], list[str]]:
    """A trained function from pictures to names."""
    encoder = ImageEncoder(3, 128, width=8, turn=10, seed=seed)
    decoder = CaptionDecoder(tokenizer, 128, hidden=128, seed=seed)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(numbers), (32,), generator=generator)
        some = encoder.augment(images[rows], generator)
        mirror = torch.rand(len(some), generator=generator) < 0.5
        some[mirror] = some[mirror].flip(3)
        factors = 1 + 0.4 * (torch.rand(len(some), 3, 1, 1, generator=generator) - 0.5)
        condition = encoder((some * factors).clamp(0, 1))
        optimizer.zero_grad()
        decoder({"x": numbers[rows], "condition": condition})["nats"].mean().backward()
        optimizer.step()
        rate.step()
    encoder.eval()
    return lambda pictures: decoder.sample(encoder(pictures), temperature=0, longest=8)


def names_of_pictures(setting: Setting) -> dict[str, float]:
    train, test = datasets.load_emoji("train"), datasets.load_emoji("test")
    tokenizer = Tokenizer.from_texts(train.names["en"])
    numbers = tokenizer.encode(train.names["en"])
    names = tokenizer.decode(numbers)
    new_names = [re.sub(r"[:,!()“”.]", "", name.lower()) for name in test.names["en"]]
    prepare = ImageEncoder(3).prepare
    images = prepare(train.pictures("noto"))
    generate = writer(images, numbers, tokenizer, setting.seed)
    cases = {
        "design": (prepare(train.pictures("twemoji")[::4]), names[::4]),
        "families": (prepare(test.pictures("noto")), new_names),
    }
    found = {}
    for case, (pictures, references) in cases.items():
        closest = torch.cdist(pictures.flatten(1), images.flatten(1)).argmin(dim=1)
        with torch.no_grad():
            made = {"": generate(pictures), "nearest-": [names[i] for i in closest]}
        for method, texts in made.items():
            pairs = list(zip(texts, references, strict=True))
            found[f"{method}{case}-exact"] = float(np.mean([a == b for a, b in pairs]))
            found[f"{method}{case}-distance"] = float(np.mean([edit_distance(*p) for p in pairs]))
    kept = {claim.id for claim in _NAMES}
    return {name: value for name, value in found.items() if name in kept}


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("language-names", _NAMES, names_of_pictures, seeds=2, full=False),
)
