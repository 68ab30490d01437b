"""Which encoder made an embedding."""

import hashlib

import torch
from torch import nn


def fingerprint(encoder: nn.Module) -> str:
    """SHA-256, as 64 hexadecimal digits, of an encoder's architecture and every weight.

    Vectors of two encoders have nothing in common, not even those of one encoder before and after
    a step of training. It reads all weights: compute it once.
    """
    digest = hashlib.sha256(str(encoder).encode())
    for name, tensor in encoder.state_dict().items():
        content = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {content.dtype} {tuple(content.shape)}\n".encode())
        digest.update(content.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def as_fingerprint(encoder: nn.Module | str | None) -> str | None:
    """Of a module; one that is given as text already, and None, are passed on."""
    if encoder is None or isinstance(encoder, str):
        return encoder
    if isinstance(encoder, nn.Module):
        return fingerprint(encoder)
    raise TypeError(f"encoder: expected a module or its fingerprint, got {encoder!r:.80}")


def check_encoder(expected: str | None, encoder: nn.Module | str | None) -> None:
    """The encoder is the one that a memory was made for."""
    given = as_fingerprint(encoder)
    if given != expected:
        wanted, got = ("none" if name is None else name[:12] for name in (expected, given))
        raise ValueError(
            f"encoder: expected {wanted}, for which this memory was made, got {got}; "
            "embeddings of different encoders can't be compared"
        )
