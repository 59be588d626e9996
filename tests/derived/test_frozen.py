"""What predicts computes the derived network's function, whatever that network is made of."""

import dataclasses

import numpy as np
import pytest
import torch

from sknas.blocks import WINDOW_NORMS
from sknas.derived import DerivedNetwork, FrozenNetwork, NetworkSpec
from sknas.genotype import Branch, Cell, Genotype, Node
from sknas.genotype.drawing import draw_cell
from sknas.ops import registered_ops
from tests.tiny import CELLS, CODED, PADDED, SHAPE, branch, generator, perturb, windows

TWO_LAYERS = branch("lstm", n_layers=2)
QUANTILES = dataclasses.replace(SHAPE, quantiles=(0.1, 0.5, 0.9))
MISSING = dataclasses.replace(SHAPE, has_missing=True)
IN_ORDER = dataclasses.replace(SHAPE, target_channels=(0, 1))


def network(*branches, shape=SHAPE, window_norm="last", channel_mode="mixed", seed=0):
    spec = NetworkSpec(Genotype(branches), shape, window_norm, channel_mode)
    made = DerivedNetwork(spec, generator=generator(seed), dtype=torch.float64)
    perturb(made, seed=seed)
    return made


def predicts_the_same(made, past):
    with torch.no_grad():
        expected = made(past)
    torch.testing.assert_close(FrozenNetwork(made)(past), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("shape", [SHAPE, PADDED], ids=["whole", "padded"])
def test_it_predicts_what_the_network_of_a_known_cell_does(shape, name):
    predicts_the_same(network(branch(name), shape=shape), windows(shape, 9))


@pytest.mark.parametrize("has_state", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_it_predicts_what_the_network_of_a_drawn_cell_does(seed, has_state):
    rng = np.random.RandomState(seed)
    cell = draw_cell(rng, registered_ops(), 1 + rng.randint(5), has_state=has_state)
    made = network(Branch((cell,), 3, 2, "mixed"), seed=seed)
    predicts_the_same(made, windows(SHAPE, 5))


@pytest.mark.parametrize("channel_mode", ["mixed", "independent"])
@pytest.mark.parametrize("window_norm", WINDOW_NORMS)
@pytest.mark.parametrize(
    "shape",
    [SHAPE, IN_ORDER, PADDED, MISSING, QUANTILES],
    ids=["whole", "in order", "padded", "missing", "quantiles"],
)
def test_it_reads_windows_as_the_network_does(shape, window_norm, channel_mode):
    branches = (
        branch("lstm", segment_length=3),
        TWO_LAYERS,
        branch("product", channel_mode="independent", segment_length=2),
    )
    made = network(*branches, shape=shape, window_norm=window_norm, channel_mode=channel_mode)
    past = windows(shape, 7)
    if shape is MISSING:
        past[torch.rand(past.shape, generator=generator(1)) < 0.2] = torch.nan
    predicts_the_same(made, past)


@pytest.mark.parametrize("shape", [SHAPE, PADDED], ids=["whole", "padded"])
def test_branches_that_embed_nothing_share_what_they_read(shape):
    alike = [branch(name, segment_length=1) for name in ("gru", "product")]
    others = [
        branch("gru", segment_length=1, channel_mode="independent"),
        branch("gru", segment_length=2),
        branch("rnn", segment_length=2),  # embeds by weights of its own
    ]
    made = network(*others, *alike, shape=shape)
    assert FrozenNetwork(made).read_by == [0, 1, 2, 3, 3]
    predicts_the_same(made, windows(shape, 7))


@pytest.mark.parametrize("shape", [SHAPE, PADDED], ids=["whole", "padded"])
@pytest.mark.parametrize("seed", range(20))
def test_like_branches_of_one_step_are_computed_side_by_side(seed, shape):
    rng = np.random.RandomState(seed)
    cells = [draw_cell(rng, registered_ops(), 1 + rng.randint(4)) for _ in range(2)]
    a, b = (Branch((cell,), 3, 1, "mixed", reach=1) for cell in cells)
    wider = dataclasses.replace(a, hidden_size=5)
    stacked, longer = dataclasses.replace(a, layers=cells[:1] * 2), dataclasses.replace(a, reach=2)
    branches = [a, b, a, wider, stacked, stacked, longer, longer]
    made = network(*branches, shape=shape, seed=seed)
    assert len(FrozenNetwork(made).branches) == (5 if cells[0] == cells[1] else 6)
    predicts_the_same(made, windows(shape, 5))


def test_like_branches_whose_channels_have_gains_stay_apart():
    shape = dataclasses.replace(SHAPE, has_gains=True)
    alike = [Branch((CELLS["product"],), 3, 1, "independent", reach=1)] * 2
    made = network(*alike, shape=shape)
    assert len(FrozenNetwork(made).branches) == 2
    predicts_the_same(made, windows(shape, 5))


@pytest.mark.parametrize("is_put_out", [True, False])
def test_a_scale_stays_where_the_memory_reads_the_node(is_put_out):
    nodes = (Node("lin_tanh", "x", "c"), Node("lin_tanh", "x", "s0"))
    cell = Cell(nodes[:1] if is_put_out else nodes, outputs=(0,), memory=0, carry=False)
    predicts_the_same(network(Branch((cell,), 3, 1, "mixed")), windows(SHAPE, 5))


def test_it_reads_codes_as_the_network_does():
    made = network(branch("gru"), shape=CODED, window_norm="none")
    predicts_the_same(made, windows(CODED, 6))


def test_a_state_out_of_bounds_is_clamped_as_the_network_does():
    made = network(branch("rnn"), branch("lstm"), branch("product"))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(30.0)
    predicts_the_same(made, windows(SHAPE, 9))


def test_a_network_without_a_branch_is_its_seed():
    predicts_the_same(network(), windows(SHAPE, 4))


@pytest.mark.parametrize("n", [1, 2, 512, 513, 1100])
def test_outputs_are_those_of_each_window_by_itself(n):
    frozen = FrozenNetwork(network(branch("gru")))
    past = windows(SHAPE, n).numpy()
    past.flags.writeable = False
    found = frozen.outputs(past)
    some = np.unique(np.linspace(0, n - 1, 20).astype(int))
    alone = np.concatenate([frozen.outputs(past[i : i + 1]) for i in some])
    np.testing.assert_allclose(found[some], alone, rtol=1e-12, atol=1e-14)
    largest = frozen.outputs(past, lambda output: output.flatten(1).amax(dim=1))
    np.testing.assert_array_equal(largest, found.reshape(n, -1).max(axis=1))


def test_it_does_not_follow_what_the_network_learns_later():
    made = network(branch("gru", segment_length=2), window_norm="revin")
    frozen, past = FrozenNetwork(made), windows(SHAPE, 3)
    before = frozen(past)
    perturb(made, seed=1)
    torch.testing.assert_close(frozen(past), before, rtol=0, atol=0)
