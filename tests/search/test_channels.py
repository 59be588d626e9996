"""Gates on units do what rows of zeros would do, and narrowing is their hard limit."""

import copy
import math

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES
from sknas.edits.geometry import ways_out
from sknas.search.channels import ChannelGates, narrow_network
from sknas.search.inheritance import derive
from tests.tiny import CELLS, batch, branch, generator, normal, supernet, windows

WIDTHS = (4, 3)


def network(cell="gru", n_layers=1):
    """Derive a network of two branches, of which the second has fewer units."""
    net = supernet(branch(cell, n_layers=n_layers), branch("highway", hidden_size=WIDTHS[1]))
    return derive(net, generator=generator())


def scored(net, seed=3):
    gates = ChannelGates(net)
    with torch.no_grad():
        for place, score in enumerate(gates.scores):
            score += normal(*score.shape, seed=seed + place)
    return gates


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_gate_multiplies_every_way_out_of_its_unit(cell, n_layers):
    net = network(cell, n_layers)
    gates = scored(net)
    gates.scale = 2.5
    by_hand = copy.deepcopy(net)
    with torch.no_grad():
        for stack, score in zip(by_hand.trunk.branches, gates.scores, strict=True):
            for weight in ways_out(stack):
                weight /= 1 + torch.exp(-2.5 * score)[:, None]
    torch.testing.assert_close(gates(windows()), by_hand(windows()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_removing_the_units_that_hard_gates_have_closed_changes_nothing(cell, n_layers):
    net = network(cell, n_layers)
    gates, past = scored(net), windows()
    gates.scale = 1e4
    keep = gates.open_units()
    assert any(len(units) < width for units, width in zip(keep, WIDTHS, strict=True))
    gates.harden()
    assert gates.entropy() == 0.0
    assert gates.open_units() == gates.unclosed_units() == keep
    before, n_before = gates(past), net.n_params
    narrow_network(net, keep)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    widths = [spec.hidden_size for spec in net.spec.genotype.branches]
    assert widths == [stack.hidden_size for stack in net.trunk.branches] == list(map(len, keep))
    assert net.n_params < n_before


def test_scores_alone_learn_and_all_of_them_have_a_gradient():
    gates = scored(network())
    past, target, weight = batch()
    loss = REGRESSION_LOSSES["mse"]().mean(gates(past), target, weight) + gates.size()
    loss.backward()
    assert all(score.grad.all() for score in gates.scores)
    assert all(p.grad is None for p in gates.network.parameters())


def test_the_size_counts_the_weights_of_units_and_knows_no_scale():
    net = network("lstm", n_layers=2)
    gates = ChannelGates(net)
    # What is not a unit's: the seed, the embeddings, and scalars.
    others = [*net.trunk.seed.parameters()]
    others += [p for stack in net.trunk.branches for p in stack.segments.parameters()]
    others += [p for n, p in net.named_parameters() if n.endswith(("scale", "output_weights"))]
    share = 1 - sum(p.numel() for p in others) / net.n_params
    half = float(gates.size().detach())
    gates.scale = 1e3
    assert float(gates.size().detach()) == half
    for score in gates.scores:
        score.data.fill_(torch.inf)
    assert float(gates.size().detach()) == pytest.approx(share, rel=1e-12)
    assert half == pytest.approx(share / 2, rel=1e-12)
    gates.scores[0].data.fill_(-torch.inf)
    rest = float(gates.size().detach())
    assert 0 < rest < half  # the second branch is the smaller one


def test_the_entropy_falls_from_log_two_to_zero():
    gates = scored(network())
    entropies = []
    for gates.scale in (0.0, 1.0, 10.0, 1e6):
        entropies.append(gates.entropy())
    assert entropies[0] == pytest.approx(math.log(2))
    assert entropies == sorted(entropies, reverse=True)
    assert entropies[-1] == 0.0


def test_a_branch_keeps_its_best_unit_even_if_all_gates_close():
    gates = scored(network())
    with torch.no_grad():
        for score in gates.scores:
            score -= 1e3
    best = [(int(score.detach().argmax()),) for score in gates.scores]
    assert gates.open_units() == best
