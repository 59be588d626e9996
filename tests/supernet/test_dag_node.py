"""Nodes of DARTS's graph against an oracle that follows the formula edge by edge."""

import copy
import math

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES
from sknas.edits import (
    AddDagBranch,
    AddDagNode,
    AddHadamard,
    AddOp,
    DropEdge,
    DropEdgeOp,
    DropNode,
    DropOp,
    Narrow,
    Widen,
)
from sknas.genotype import Branch, Genotype, Node
from sknas.ops import DAG_OPERATIONS
from sknas.search.backbone import DagBackbone
from sknas.search.bilevel import arch_step, weight_step
from sknas.search.discretization import discretize
from sknas.search.inheritance import derive
from sknas.search.probe import measure_removals
from sknas.search.pruning import MagnitudePruning
from sknas.search.state import SearchState
from sknas.supernet import (
    ClampRelaxation,
    DagNode,
    GumbelRelaxation,
    MixedNode,
    NodePlace,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxRelaxation,
)
from sknas.supernet.sampling import sampling
from tests.oracles.highway_dag import highway, node_value, side_by_side
from tests.tiny import (
    batch,
    branch,
    choices,
    generator,
    learner,
    normal,
    perturb,
    set_progress,
    supernet,
    windows,
)

RELAXATIONS = [
    SoftmaxRelaxation(temperature=2.0, final_temperature=0.2),
    SigmoidRelaxation(),
    ScaledSigmoidRelaxation(final_scale=20.0),
]
BATCH = 5
every_relaxation = pytest.mark.parametrize(
    "relaxation", RELAXATIONS, ids=lambda r: type(r).__name__
)


def graph(n_nodes=3, relaxation=RELAXATIONS[0], operations=DAG_OPERATIONS, *, is_perturbed=True):
    """Return a supernet with one branch of DARTS's graph behind its first node."""
    net = supernet(relaxation=relaxation)
    frame = Branch((DagBackbone().frame_cell(is_sequence=True),), 4, 3, "mixed", 3)
    AddDagBranch(frame, n_nodes, operations).apply(net, generator())
    if is_perturbed:
        perturb(net)
    return net


def mixed(net):
    """Return the places and nodes of the graph that are not settled."""
    return [(place, node) for place, node in net.nodes() if isinstance(node, DagNode)]


def drop_at_random(net, n_drops, seed=0):
    source = generator(seed)
    for _ in range(n_drops):
        edits = [edit for choice in choices(net) for edit in choice]
        edits[int(torch.randint(len(edits), (), generator=source))].apply(net)


def settle(net, seed):
    while not net.is_settled:
        drop_at_random(net, 1, seed)


def slow_states(cell, inputs, state_bound=4.0):
    """Return the state after each step: s0, the nodes of the graph, and their weighted sum."""
    h = torch.zeros(inputs.shape[1], cell.n_hidden, dtype=inputs.dtype)
    states = []
    for x in inputs:
        h = h.clamp(-state_bound, state_bound)
        first = cell.nodes[0]
        projected = h @ side_by_side(first, "left") + x @ side_by_side(first, "input_right")
        projected = projected + side_by_side(first, "bias")
        values = {"s0": first.births * highway(h, projected, "tanh")}
        h = 0.0
        for node in list(cell.nodes)[1:]:
            if isinstance(node, DagNode):
                values[node.name] = node_value(node, values)
            else:
                (name,), (source,) = node.operations, node.open_sources(0)
                s = values[source]
                projected = s @ side_by_side(node, "left") + side_by_side(node, "bias")
                value = highway(s, projected, name.removeprefix("highway_"))
                values[node.name] = node.births * value
            h = h + node.output_weight * values[node.name]
        states.append(h)
    return torch.stack(states)


def assert_cell_equals_the_oracle(net):
    cell = net.cell(0, 0)
    inputs = normal(4, BATCH, cell.n_inputs, seed=3).requires_grad_()
    fast, slow = cell(inputs), slow_states(cell, inputs)
    torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-11)
    weight, wanted = normal(*fast.shape, seed=9), [inputs, *cell.parameters()]
    gradients = [
        torch.autograd.grad(
            (value * weight).sum(), wanted, allow_unused=True, materialize_grads=True
        )
        for value in (fast, slow)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("n_drops", [0, 5, 17, 21])
@pytest.mark.parametrize("progress", [0.0, 0.7])
@every_relaxation
def test_a_cell_equals_the_formula_edge_by_edge_and_so_do_its_gradients(
    relaxation, progress, n_drops
):
    net = graph(relaxation=relaxation)
    set_progress(net, progress)
    drop_at_random(net, n_drops)
    assert_cell_equals_the_oracle(net)


@pytest.mark.parametrize("operations", [("highway_relu",), ("highway_identity", "highway_tanh")])
def test_a_cell_of_few_operations_equals_the_formula(operations):
    assert_cell_equals_the_oracle(graph(operations=operations))


def test_none_takes_weight_under_a_softmax_and_is_no_candidate():
    net = graph(relaxation=SoftmaxRelaxation(), is_perturbed=False)
    _, node = mixed(net)[-1]
    torch.testing.assert_close(node.gates(), torch.full((12,), 0.2, dtype=torch.float64))
    assert node.n_candidates == len(node.pairs()) == 12
    with torch.no_grad():
        node.alphas[-1] = 50.0
    assert float(node.gates().detach().max()) < 1e-20


@every_relaxation
def test_the_last_pair_settles_the_node_without_changing_the_function(relaxation):
    net, past = graph(1, relaxation, DAG_OPERATIONS[:2]), windows()
    ((place, node),) = mixed(net)
    with torch.no_grad():
        node.alphas[0] = -60.0  # the pair to be dropped weighs nothing
    before = net(past)
    change = DropEdgeOp(place, "s0", "highway_tanh").apply(net)
    settled = net.node(place)
    assert isinstance(settled, MixedNode)
    assert net.is_settled
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    # The same weights go on, with their optimizer state; only the alphas are gone.
    assert settled.projections is node.projections
    assert settled.output_weight is node.output_weight
    assert [r.old is node.births for r in change.replaced] == [True]
    assert [id(p) for p in change.removed] == [id(node.alphas)]


@every_relaxation
def test_optimizers_and_averages_follow_a_node_that_settles(relaxation):
    net = graph(2, relaxation, DAG_OPERATIONS[:1])
    (place, node), one = mixed(net)[-1], learner(net)
    for step in range(3):
        weight_step(one, batch(seed=step), REGRESSION_LOSSES["mse"](), math.inf)
        arch_step(one, batch(seed=step + 9), REGRESSION_LOSSES["mse"]())
    kept = [node.births, node.projections["both_1"].weights["left"], node.output_weight]
    before = [copy.deepcopy(one.weight_optimizer.state[p]) for p in kept]
    average = one.average.averages[node.births].clone()
    one.apply(DropEdgeOp(place, "s0", "highway_tanh"), generator())
    settled = net.node(place)
    after = [settled.births, settled.projections["both_1"].weights["left"]]
    for old, parameter in zip(before, [*after, settled.output_weight], strict=True):
        state, last = one.weight_optimizer.state[parameter], slice(-parameter.numel(), None)
        assert state["step"] == old["step"]
        assert torch.equal(state["exp_avg"].flatten(), old["exp_avg"].flatten()[last])
    gate = settled.births.detach() / kept[0].detach()[-1:]
    torch.testing.assert_close(one.average.averages[settled.births], average[-1:] * gate)
    for optimizer, wanted in (
        (one.weight_optimizer, net.weight_parameters()),
        (one.arch_optimizer, net.arch_parameters()),
    ):
        held = [id(p) for group in optimizer.param_groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in wanted)


@pytest.mark.parametrize("seed", range(6))
@every_relaxation
def test_the_derived_network_predicts_what_the_settled_supernet_does(relaxation, seed):
    net, past = graph(4, relaxation), windows()
    set_progress(net, seed / 6)
    settle(net, seed)
    derived = derive(net, generator=generator())
    torch.testing.assert_close(derived(past), net(past), rtol=0, atol=1e-12)
    (cell,) = derived.spec.genotype.branches[0].layers
    assert len(cell.nodes) == 5
    assert set(derived.spec.genotype.operations) <= set(DAG_OPERATIONS)
    assert all(node.right is None for node in cell.nodes[1:])
    assert Genotype.from_json(discretize(net).to_json()) == discretize(net)
    assert net.n_params - 1 == derived.n_params  # the output weight of s0 is not read


def test_a_graph_that_is_not_settled_has_no_genotype():
    with pytest.raises(ValueError, match="supernet must be settled"):
        discretize(graph())


@pytest.mark.parametrize("n_rounds", [1, 3])
def test_pruning_by_magnitude_keeps_the_edge_whose_operation_weighs_most(n_rounds):
    # DARTS's rule with one edge a node: the largest weight over all edges, none not counted.
    net = graph(3, SoftmaxRelaxation(), is_perturbed=False)
    wanted = {1: ("s0", "highway_sigmoid"), 2: ("s0", "highway_relu"), 3: ("s1", "highway_tanh")}
    for place, node in mixed(net):
        source, name = wanted[place.node]
        with torch.no_grad():
            node.alphas[:] = normal(*node.alphas.shape, seed=place.node) * 0.1
            node.alphas[node.operations.index(name), node.sources.index(source)] = 1.0
    _, node = mixed(net)[1]
    with torch.no_grad():
        # The largest alpha of all stands on an edge where none weighs still more.
        node.alphas[0, node.sources.index("s1")] = 3.0
        node.alphas[-1, node.sources.index("s1")] = 6.0
    for left in range(n_rounds, 0, -1):
        removals = tuple(measure_removals(net, None, is_measured=False))
        state = SearchState(1, 1, (), removals=removals, n_rounds_left=left)
        for edit in MagnitudePruning().propose(state):
            edit.apply(net)
    (cell,) = discretize(net).branches[0].layers
    assert cell.nodes[1:] == tuple(Node(name, source, None) for source, name in wanted.values())


def test_a_birth_scalar_counts_in_a_pairs_strength():
    net = graph(2, SoftmaxRelaxation(), is_perturbed=False)
    place, node = mixed(net)[-1]
    with torch.no_grad():
        node.births[0] = -3.0
    strengths = {r.edit: r.strength for r in measure_removals(net, None, is_measured=False)}
    for name in DAG_OPERATIONS:
        assert strengths[DropEdgeOp(place, "s0", name)] == pytest.approx(0.6)
        assert strengths[DropEdgeOp(place, "s1", name)] == pytest.approx(0.2)


def test_a_new_node_has_an_edge_from_every_earlier_one_and_none_from_input_or_state():
    net = supernet(branch("gru"))
    AddDagNode(0, 0).apply(net)
    ((_, node),) = mixed(net)
    assert node.sources == ["s0", "s1", "s2", "s3"]
    assert node.output_weight.item() == 0.0
    AddHadamard(next(p for p, n in net.nodes() if n.is_output)).apply(net)
    AddDagNode(0, 0).apply(net)
    assert mixed(net)[-1][1].sources == ["s0", "s1", "s2", "s3", "s4", "s5"]


def test_the_only_pair_there_can_be_is_settled_from_birth():
    net, past = supernet(branch("rnn")), windows()
    before = net(past)
    AddDagNode(0, 0, ("highway_relu",)).apply(net)
    assert net.is_settled
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    assert discretize(net).operations == ("lin_tanh", "highway_relu")


def test_a_dropped_node_takes_its_edges_with_it():
    net = graph(3)
    place, _ = mixed(net)[0]
    before = copy.deepcopy(net)
    DropNode(place).apply(net)
    kept = [node for _, node in mixed(net)]
    assert [node.sources for node in kept] == [["s0"], ["s0", "s2"]]
    for node in kept:
        old = before.node(NodePlace(0, 0, node.index))
        columns = [old.sources.index(name) for name in node.sources]
        assert torch.equal(node.alphas, old.alphas[:, columns])
        # The node is a mean over one edge less; what is left of it stays as large as it was.
        share = len(node.sources) / len(old.sources)
        torch.testing.assert_close(node.births, share * old.births[columns])
    assert_cell_equals_the_oracle(net)


def test_a_node_whose_other_edge_goes_with_its_source_is_settled():
    net = graph(2)
    place, node = mixed(net)[1]
    for source, name in node.pairs():
        if (source, name) != ("s0", "highway_relu") and source == "s0":
            DropEdgeOp(place, source, name).apply(net)
    DropNode(mixed(net)[0][0]).apply(net)
    assert net.is_settled
    assert discretize(net).operations == ("highway_tanh", "highway_relu")


def test_architecture_parameters_candidates_and_entropy_are_those_of_the_pairs():
    net = graph(3, SoftmaxRelaxation(), is_perturbed=False)
    assert [id(p) for p in net.free_arch_parameters()] == [id(n.alphas) for _, n in mixed(net)]
    assert net.n_candidates == 1 + 4 * (1 + 2 + 3)
    equal = torch.tensor([4.0, 8.0, 12.0]).log().mean().item()
    assert net.gate_entropy() == pytest.approx(equal)
    settle(net, 0)
    assert net.free_arch_parameters() == []
    assert net.gate_entropy() == 0.0


def test_what_is_meant_for_two_input_nodes_is_refused():
    net = graph()
    place, _ = mixed(net)[0]
    for edit in (
        AddOp(place, "add"),
        DropOp(place, "highway_tanh"),
        DropEdge(place, "left", "s0"),
    ):
        with pytest.raises(ValueError, match="place must be a two-input node; got s1, a node of a"):
            edit.apply(net)


def test_a_pair_that_is_not_open_or_is_the_last_one_is_not_dropped():
    net = graph(1, operations=DAG_OPERATIONS[:2])
    ((place, _),) = mixed(net)
    for edit in (
        DropEdgeOp(place, "s0", "highway_sigmoid"),
        DropEdgeOp(place, "x", "highway_tanh"),
    ):
        with pytest.raises(ValueError, match="must be one of several open pairs"):
            edit.apply(net)
    DropEdgeOp(place, "s0", "highway_tanh").apply(net)
    with pytest.raises(ValueError, match=r"several open pairs \[\]; got \('s0', 'highway_relu'\)"):
        DropEdgeOp(place, "s0", "highway_relu").apply(net)


def test_other_operations_than_highway_ones_are_refused():
    with pytest.raises(ValueError, match="must be highway operations; got 'hadamard'"):
        AddDagNode(0, 0, ("highway_relu", "hadamard")).apply(supernet(branch("gru")))


def test_units_that_nothing_reads_can_be_taken_out_again():
    net, past = graph(3), windows()
    drop_at_random(net, 21)
    before = net(past)
    Widen(0, 3).apply(net, generator())
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    Narrow(0, (0, 1, 2, 3)).apply(net)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    assert_cell_equals_the_oracle(net)


def test_pairs_whose_clamped_gates_have_closed_leave_the_node_and_one_lives_on():
    net = graph(2, ClampRelaxation(), is_perturbed=False)
    one = learner(net)
    (_, first), (place, second) = mixed(net)
    with torch.no_grad():
        first.alphas[:] = -1.0
        first.alphas[2, 0] = -0.5  # the largest
        second.alphas[:] = 0.5
        second.alphas[1, 0] = -1.0
    one.step_arch()  # without a gradient: only what is out of range moves
    assert discretize_first(net) == DAG_OPERATIONS[2]
    assert len(second.pairs()) == 7
    assert ("s0", DAG_OPERATIONS[1]) not in net.node(place).pairs()


def discretize_first(net):
    """Return the operation of the node behind s0, which is settled."""
    node = list(net.nodes())[1][1]
    assert isinstance(node, MixedNode)
    (operation,) = node.operations
    return operation


def test_the_gates_are_drawn_in_training_and_free_of_noise_elsewhere():
    net, past = graph(2, GumbelRelaxation()), windows()
    quiet = net(past)
    with sampling(net, generator(1)):
        drawn, again = net(past), net(past)
    assert not torch.equal(drawn, quiet)
    assert not torch.equal(drawn, again)
    assert torch.equal(net(past), quiet)


def test_an_edge_without_operations_left_has_no_weight_in_a_draw():
    net, past = graph(3, GumbelRelaxation()), windows()
    node = mixed(net)[-1][1]
    node.is_open[:, 0] = False
    with sampling(net, generator(1)):
        weights = node.mixing_weights()
        output = net(past)
    assert (weights[:, 0] == 0).all()
    assert (weights[:, 1:].sum(dim=0) <= 1).all()
    assert torch.isfinite(output).all()
