"""Tiled losses against the dense ones of torch: value, gradients, extremes, refusals."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from simmim_lite import bounds, contrastive
from simmim_lite.contrastive import LearnedTemperature, info_nce_loss, nt_xent_loss


def embeddings(N, dim, *, M=None, seed=0, dtype=torch.float64, normalize=True):
    """Queries (N, dim) and keys (M or N, dim), with gradients."""
    generator = torch.Generator().manual_seed(seed)
    for rows in (N, M or N):
        values = torch.randn(rows, dim, generator=generator, dtype=torch.float64)
        values = F.normalize(values, dim=1) if normalize else values
        yield values.to(dtype).requires_grad_()


def dense_info_nce(queries, keys, temperature, symmetric=True):
    scores = queries @ keys.T / temperature
    own = torch.arange(len(queries))
    one_way = F.cross_entropy(scores, own)
    return (one_way + F.cross_entropy(scores[:, own].T, own)) / 2 if symmetric else one_way


def dense_nt_xent(first, second, temperature):
    views, N = torch.cat([first, second]), len(first)
    scores = views @ views.T / temperature
    scores = scores.masked_fill(torch.eye(2 * N, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(scores, torch.arange(2 * N).roll(N))


def difference(ours, theirs, inputs):
    """Largest difference of value and gradients, relative to the largest gradient (at least 1)."""
    a, b = torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs)
    errors = [
        ((x.double() - y.double()).abs().max() / y.double().abs().max().clamp(min=1)).item()
        for x, y in zip(a, b, strict=True)
    ]
    return max(abs(ours.item() - theirs.item()) / max(1, abs(theirs.item())), *errors)


@given(
    N=st.integers(1, 200),
    extra=st.integers(0, 40),
    dim=st.integers(3, 64),
    temperature=st.floats(0.005, 1),
    symmetric=st.booleans(),
    tile=st.none() | st.integers(1, 250),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=150)
def test_info_nce_is_the_dense_one(N, extra, dim, temperature, symmetric, tile, seed):
    queries, keys = embeddings(N, dim, M=N + extra, seed=seed)
    temperature = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    ours = info_nce_loss(queries, keys, temperature, symmetric=symmetric, tile=tile)
    theirs = dense_info_nce(queries, keys, temperature, symmetric)
    rounding = 1e-12 + 1e-15 / temperature.item() ** 2  # a probability near 1 times score / t
    assert difference(ours, theirs, (queries, keys, temperature)) < rounding


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01, 0.005])
@pytest.mark.parametrize(("N", "dim"), [(2048, 16), (512, 512)])
def test_info_nce_of_large_batches(N, dim, temperature, symmetric):
    for dtype, bound in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        queries, keys = embeddings(N, dim, dtype=dtype)
        learned = torch.tensor(temperature, dtype=dtype, requires_grad=True)
        inputs = (queries, keys, learned)
        ours = info_nce_loss(*inputs, symmetric=symmetric)
        # Rounding of the dense float32 computation is of the same size, so float64 is the truth.
        exact = [value.detach().double().requires_grad_() for value in inputs]
        theirs = dense_info_nce(*exact, symmetric)
        a, b = torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, exact)
        for x, y in zip(a, b, strict=True):
            assert (x.double() - y).norm() / y.norm().clamp(min=1e-2) < bound
        assert abs(ours.item() - theirs.item()) < bound * max(1, theirs.item())


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_small_loss_is_not_the_difference_of_two_large_means(symmetric):
    """Scores of 100 in float32: one of them is rounded by 4e-6, the mean over 1,024 by less."""
    generator = torch.Generator().manual_seed(1)
    queries, _ = embeddings(1024, 64, dtype=torch.float32)
    keys = F.normalize(queries + 0.02 * torch.randn(1024, 64, generator=generator))
    found = info_nce_loss(queries, keys, 0.01, symmetric=symmetric).item()
    assert found == pytest.approx(0, abs=3e-6)


@given(N=st.integers(1, 60), temperature=st.floats(0.01, 1), seed=st.integers(0, 10**6))
@settings(max_examples=60)
def test_nt_xent_is_the_dense_one(N, temperature, seed):
    first, second = embeddings(N, 8, seed=seed)
    temperature = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    ours = nt_xent_loss(first, second, temperature, tile=7)
    theirs = dense_nt_xent(first, second, temperature)
    assert difference(ours, theirs, (first, second, temperature)) < 1e-12


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("scale", [1.0, 200.0])  # the fast way, and the one for large scores
def test_gradcheck(symmetric, scale):
    queries, keys = embeddings(5, 3, M=7)
    temperature = torch.tensor(1 / scale, dtype=torch.float64, requires_grad=True)

    def loss(q, k, t):
        return info_nce_loss(q, k, t, symmetric=symmetric, tile=2)

    assert torch.autograd.gradcheck(loss, (queries, keys, temperature), eps=1e-7)


@pytest.mark.parametrize("symmetric", [True, False])
def test_unnormalized_embeddings_with_scores_of_ten_thousand(symmetric):
    queries, keys = embeddings(30, 8, dtype=torch.float32, normalize=False)
    large = [(100 * values).detach().requires_grad_() for values in (queries, keys)]
    ours = info_nce_loss(*large, 1.0, symmetric=symmetric, tile=8)
    theirs = dense_info_nce(*large, 1.0, symmetric)
    assert theirs > 1000
    assert difference(ours, theirs, tuple(large)) < 1e-5


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_column_far_below_its_rows_does_not_vanish(symmetric):
    keys = torch.tensor([[1.0, 0.0], [0.0, 1.0]]) * 30
    queries = torch.tensor([[-10.0, 30.0], [-10.0, 31.0]])  # both scores of key 0 are -300
    ours = info_nce_loss(queries, keys, 1.0, symmetric=symmetric, tile=1)
    assert ours.item() == pytest.approx(dense_info_nce(queries, keys, 1.0, symmetric).item())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast(dtype):
    queries, keys = embeddings(64, 16, dtype=dtype)
    with torch.autocast("cpu", dtype=dtype):
        ours = info_nce_loss(queries, keys, 0.1)
    exact = dense_info_nce(queries.double(), keys.double(), 0.1)
    assert ours.dtype == torch.float32
    assert ours.item() == pytest.approx(exact.item(), rel=1e-5)
    of_queries, of_keys = torch.autograd.grad(ours, (queries, keys))
    assert of_queries.dtype == of_keys.dtype == dtype
    wanted = torch.autograd.grad(exact, queries)[0].double()
    assert (of_queries.double() - wanted).norm() / wanted.norm() < 0.01


def test_the_loss_of_knowing_nothing_is_log_of_the_candidates():
    same = torch.ones(10, 4)
    more = same.repeat(2, 1)
    one_way = info_nce_loss(same, more, 0.1, symmetric=False)
    assert one_way.item() == pytest.approx(math.log(20))
    both = (math.log(20) + math.log(10)) / 2  # a key has only the queries as candidates
    assert info_nce_loss(same, more, 0.1).item() == pytest.approx(both)


def test_log_of_the_candidates_less_the_loss_is_the_bound():
    queries, keys = embeddings(12, 5, M=15)
    shown = math.log(15) - info_nce_loss(queries, keys, 0.1, symmetric=False)
    assert shown.item() == pytest.approx(bounds.info_nce(queries @ keys.T / 0.1).item())


def test_upstream_factors_reach_every_gradient():
    queries, keys = embeddings(6, 4)
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    inputs = (queries, keys, temperature)
    for loss in (lambda: info_nce_loss(*inputs), lambda: nt_xent_loss(*inputs)):
        once, thrice = torch.autograd.grad(loss(), inputs), torch.autograd.grad(3 * loss(), inputs)
        for a, b in zip(once, thrice, strict=True):
            torch.testing.assert_close(3 * a, b)


def test_no_gradient_is_formed_when_none_is_wanted():
    with torch.no_grad():
        queries, keys = embeddings(6, 4)
        assert not info_nce_loss(queries, keys, 0.1).requires_grad


class Memory(TorchDispatchMode):
    """Bytes of all tensors made in this context, at the moment when there were most."""

    def __init__(self):
        super().__init__()
        self.alive, self.peak = WeakIdKeyDictionary(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.alive[result] = None
            storages = {s.data_ptr(): s.nbytes() for s in (t.untyped_storage() for t in self.alive)}
            self.peak = max(self.peak, sum(storages.values()))
        return result


@pytest.mark.parametrize(
    "loss",
    [
        lambda *pair: info_nce_loss(*pair, 0.1, tile=16),
        lambda *pair: info_nce_loss(*pair, 0.1, symmetric=False, tile=16),
        lambda *pair: nt_xent_loss(*pair, 0.1, tile=16),
    ],
    ids=["both ways", "one way", "nt_xent"],
)
def test_memory_grows_with_the_batch_and_not_with_its_square(loss):
    peak = {}
    for N in (300, 600):
        pair = tuple(embeddings(N, 8, dtype=torch.float32))
        with Memory() as memory:
            loss(*pair).backward()
        peak[N] = memory.peak
    assert peak[300] > 3 * 300 * 8 * 4  # the gradients are among it
    assert peak[600] < 2.2 * peak[300] < 600**2 * 4 / 2


@pytest.mark.parametrize("temperature", [0.1, 0.01])
def test_without_onednn_the_loss_is_the_same(temperature, monkeypatch):
    """float32, in tiles: the product that is not public may be absent from a later torch."""
    inputs = [*embeddings(300, 32, dtype=torch.float32), torch.tensor(temperature)]
    inputs[2].requires_grad_()
    losses = {
        "both ways": lambda: info_nce_loss(*inputs, tile=32),
        "one way": lambda: info_nce_loss(*inputs, symmetric=False, tile=32),
        "nt_xent": lambda: nt_xent_loss(*inputs, tile=32),
    }
    found = {}
    for linear in (contrastive._onednn_linear(), None):
        monkeypatch.setattr(contrastive, "_onednn_linear", lambda linear=linear: linear)
        found[linear] = {
            name: [value, *torch.autograd.grad(value, inputs)]
            for name, loss in losses.items()
            for value in [loss()]
        }
    with_onednn, without = found.values()  # equal where this torch has no oneDNN
    for name in losses:
        for a, b in zip(with_onednn[name], without[name], strict=True):
            assert (a - b).norm() <= 1e-5 * b.norm()


def test_scores_that_are_kept_and_that_are_computed_twice(monkeypatch):
    pair = tuple(embeddings(400, 8, dtype=torch.float32))
    monkeypatch.setitem(contrastive.TILE, "cpu", 32)
    found = []
    for kept in (0, 1 << 30):
        monkeypatch.setitem(contrastive.KEPT, "cpu", kept)
        for loss in (info_nce_loss, nt_xent_loss):
            value = loss(*pair, 0.1)
            found.append([value, *torch.autograd.grad(value, pair)])
    for a, b in zip(found[0] + found[1], found[2] + found[3], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_embeddings_of_any_memory_layout():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(8, 300, generator=generator)
    queries, keys = values.T, values[:, :1].T.expand(300, 8)
    assert not queries.is_contiguous()
    assert keys.stride(0) == 0
    plain = info_nce_loss(queries.contiguous(), keys.contiguous(), 0.5, tile=16)
    assert info_nce_loss(queries, keys, 0.5, tile=16).item() == plain.item()


def test_a_sum_beyond_the_range_of_float16_is_no_bad_row():
    large = torch.full((64, 16), 100.0, dtype=torch.float16)  # together 102,400
    assert not large.sum().isfinite()
    assert info_nce_loss(large, large, 1000.0).item() == pytest.approx(math.log(64), rel=1e-4)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"queries": torch.zeros(3)}, ValueError, r"queries: expected shape .* got \(3,\)"),
        ({"queries": torch.zeros(0, 4)}, ValueError, r"queries: expected shape .* got \(0, 4\)"),
        ({"keys": torch.zeros(3, 4).long()}, TypeError, "keys: expected .* got torch.int64"),
        ({"keys": [[1.0]]}, TypeError, "keys: expected .* got list"),
        ({"keys": torch.zeros(2, 4)}, ValueError, r"keys: expected at least 3 rows.*\(2, 4\)"),
        ({"keys": torch.zeros(3, 5)}, ValueError, r"keys: .*4 columns.*\(3, 5\)"),
        (
            {"queries": torch.tensor([[0.0] * 4, [0, math.nan, 0, 0], [0.0] * 4])},
            ValueError,
            "queries: expected finite numbers, got others in row 1",
        ),
        (
            {"keys": torch.tensor([[0.0] * 4, [0.0] * 4, [math.inf, 0, 0, 0]])},
            ValueError,
            "keys: .* in row 2",
        ),
        ({"temperature": 0.0}, ValueError, "temperature: .* got 0"),
        ({"temperature": math.nan}, ValueError, "temperature: .* got nan"),
        ({"temperature": torch.ones(2)}, ValueError, r"temperature: .* got \[1.0, 1.0\]"),
        ({"tile": 0}, ValueError, "tile: .* got 0"),
    ],
)
def test_bad_input(change, error, message):
    arguments = {"queries": torch.zeros(3, 4), "keys": torch.zeros(3, 4), "temperature": 0.1}
    with pytest.raises(error, match=message):
        info_nce_loss(**(arguments | change))


def test_views_of_unequal_shape():
    with pytest.raises(ValueError, match=r"first, second: .*\(3, 4\) and \(5, 4\)"):
        nt_xent_loss(torch.zeros(3, 4), torch.zeros(5, 4), 0.1)


# The temperature


def test_the_logarithm_of_the_temperature_is_learned():
    temperature = LearnedTemperature(0.2)
    assert temperature().item() == pytest.approx(0.2)
    (3 * temperature()).backward()
    assert temperature.log_temperature.grad.item() == pytest.approx(3 * 0.2)
    assert LearnedTemperature(0.2, learned=False)().requires_grad is False


def test_a_temperature_at_its_minimum_can_rise_again():
    temperature = LearnedTemperature(0.1)
    with torch.no_grad():
        temperature.log_temperature.fill_(-9)
    optimizer = torch.optim.SGD(temperature.parameters(), lr=1.0)
    assert temperature().item() == pytest.approx(0.01)
    (-10 * temperature()).backward()
    optimizer.step()
    assert temperature().item() == pytest.approx(0.01 * math.exp(0.1))


@pytest.mark.parametrize(
    ("initial", "error", "got"), [(0.001, ValueError, r"0\.001"), ("warm", TypeError, "'warm'")]
)
def test_a_temperature_that_cannot_be(initial, error, got):
    with pytest.raises(error, match=f"temperature: .* got {got}"):
        LearnedTemperature(initial)


def test_a_temperature_whose_inverse_overflows_is_refused():
    rows = torch.eye(3)
    with pytest.raises(ValueError, match=r"temperature: .* whose inverse torch\.float32 holds"):
        info_nce_loss(rows, rows, 1e-39)
    assert info_nce_loss(rows, rows, 1e-38).item() == 0
