"""What every choice of edges owes to a node, and what the two of them do."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import sknas.supernet
from sknas.supernet import AnnealedEdges, EdgeChoice, Mixing, SigmoidRelaxation, SoftmaxEdges
from sknas.supernet.edge_choice import edge_weights
from tests.oracles.mixed_node import cell_states
from tests.regularized import tensor
from tests.tiny import members, normal, set_progress, two_input

EVERY = [cls() for cls in members(EdgeChoice, sknas.supernet)]
every_choice = pytest.mark.parametrize("choice", EVERY, ids=str)
SHARES = st.floats(0, 1)


def with_edges(choice):
    """Return a supernet with a mixed node that chooses its edges so."""
    net = two_input()
    for _, node in net.nodes():
        node.mixing = Mixing(SigmoidRelaxation(), choice)
    return net


@every_choice
@given(share=SHARES, other=SHARES)
def test_a_temperature_is_positive_and_never_rises_by_default(choice, share, other):
    early, late = sorted([share, other])
    assert choice.temperature(early) >= choice.temperature(late) > 0.0


@given(share=SHARES, start=st.floats(0.1, 10), stop=st.floats(0.01, 1))
def test_an_annealed_choice_falls_by_a_constant_factor(share, start, stop):
    choice = AnnealedEdges(start=start, stop=stop)
    assert choice.temperature(share) == pytest.approx(start * (stop / start) ** share)


@given(share=SHARES, value=st.floats(0.01, 10))
def test_a_softmax_keeps_its_temperature(share, value):
    assert SoftmaxEdges(value=value).temperature(share) == value


@every_choice
def test_a_choice_is_described_by_its_parameters(choice):
    twin = clone(choice)
    assert twin is not choice
    assert twin.get_params() == choice.get_params()
    assert repr(choice) == f"{type(choice).__name__}()"


@pytest.mark.parametrize("progress", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("choice", [*EVERY, AnnealedEdges(start=3.0), SoftmaxEdges(value=0.2)])
def test_a_cell_computes_what_the_oracle_does(choice, progress):
    net = with_edges(choice)
    set_progress(net, progress)
    cell = net.cell(0, 0)
    inputs = normal(4, 5, cell.n_inputs, seed=3)
    expected = cell_states(cell, inputs)[0]
    torch.testing.assert_close(cell(inputs), expected, rtol=1e-11, atol=1e-11)


@every_choice
def test_what_is_left_to_decide_shrinks_as_it_cools_and_only_then(choice):
    net, entropies = with_edges(choice), []
    for progress in (0.0, 0.5, 1.0):
        set_progress(net, progress)
        entropies.append(net.edge_entropy())
    if isinstance(choice, AnnealedEdges):
        assert entropies[0] > entropies[1] > entropies[2] > 0.0
    else:
        assert entropies[0] == entropies[1] == entropies[2] > 0.0


def test_the_entropy_is_the_mean_over_operands_with_several_sources_left():
    net = with_edges(SoftmaxEdges())
    node = list(net.nodes())[-1][1]
    n_left, n_right = (len(node.open_sources(slot)) for slot in (0, 1))
    assert min(n_left, n_right) > 1
    with torch.no_grad():
        node.edge_logits.zero_()
        node.edge_logits[0, 0] = 1e4  # as good as decided, and still a choice
    assert net.edge_entropy() == pytest.approx(math.log(n_right) / 2)
    node.is_open[0] = False
    node.is_open[0, 0] = True
    assert net.edge_entropy() == pytest.approx(math.log(n_right))


EDGE_CASES = st.tuples(
    st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=6),
    st.floats(0.01, 100),
)


@given(case=EDGE_CASES)
def test_edge_weights_sum_to_one_over_the_open_sources_or_are_all_zero(case):
    sources, temperature = case
    logits = tensor([[logit for logit, _ in sources], [-logit for logit, _ in sources]])
    is_open = torch.tensor([[open_ for _, open_ in sources]] * 2)
    free = logits.requires_grad_()
    weights = edge_weights(free, is_open, temperature)
    assert bool((weights >= 0).all())
    assert not weights[~is_open].any()
    total = 1.0 if is_open.any() else 0.0
    torch.testing.assert_close(weights.sum(dim=1), tensor([total, total]))
    (gradient,) = torch.autograd.grad(weights.square().sum(), free)
    assert gradient.isfinite().all()


def test_edge_weights_equal_a_softmax_over_the_open_sources():
    logits = tensor([[0.3, -0.5, 2.0, 0.1], [1.0, 0.0, -1.0, 4.0]])
    is_open = torch.tensor([[True, True, False, True], [False, False, True, False]])
    weights = edge_weights(logits, is_open, 0.4)
    torch.testing.assert_close(weights[0, [0, 1, 3]], torch.softmax(logits[0, [0, 1, 3]] / 0.4, 0))
    assert weights[1].tolist() == [0.0, 0.0, 1.0, 0.0]
