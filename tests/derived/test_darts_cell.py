"""The genotype named "darts" is the recurrent cell that DARTS published."""

import pytest
import torch

from sknas.derived import DerivedCell
from sknas.edits import AddBranch
from sknas.genotype import NAMED_CELLS, Cell, Node
from sknas.supernet import Mixing, SoftmaxRelaxation, Supernet
from tests.oracles.highway_dag import published_states
from tests.tiny import CELLS, SHAPE, branch, generator, normal, perturb

N_INPUTS, N_HIDDEN, BATCH = 3, 4, 5


def build(*, is_perturbed):
    cell = DerivedCell(
        NAMED_CELLS["darts"], N_INPUTS, N_HIDDEN, generator=generator(), dtype=torch.float64
    )
    if is_perturbed:
        for node in cell.nodes:
            perturb(node.projection, scale=0.5)
    return cell


@pytest.mark.parametrize("is_perturbed", [False, True])
def test_it_equals_the_published_recurrence_step_by_step(is_perturbed):
    # Scales of one and output weights of an eighth are what the cell is born with.
    cell = build(is_perturbed=is_perturbed)
    first, *others = [node.projection for node in cell.nodes]
    inputs = normal(6, BATCH, N_INPUTS, seed=3).requires_grad_()
    slow = published_states(
        inputs,
        (first.weights["input_right"], first.weights["left"], first.bias),
        [(projection.weights["left"], projection.bias) for projection in others],
    )
    fast = cell(inputs)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    wanted = [inputs, *(p for node in cell.nodes for p in node.projection.parameters())]
    weight = normal(*fast.shape, seed=9)
    gradients = [torch.autograd.grad((value * weight).sum(), wanted) for value in (fast, slow)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_its_bias_is_zero_at_birth_as_darts_has_none():
    assert not any(node.projection.bias.any() for node in build(is_perturbed=False).nodes)


def test_outputs_that_replace_the_state_start_as_their_mean_in_both_networks():
    net = Supernet(SHAPE, Mixing(SoftmaxRelaxation()), dtype=torch.float64)
    AddBranch(branch("darts")).apply(net, generator())
    outputs = [node for _, node in net.nodes() if node.is_output]
    assert [node.output_weight.item() for node in outputs] == [1 / 8] * 8
    assert build(is_perturbed=False).output_weights.tolist() == [1 / 8] * 8
    # Neither does the sum replace the state where there is a carry, nor where nothing reads it.
    row = Cell((Node("lin_tanh", "x", None), Node("add", "s0", "x")), outputs=(0, 1), carry=False)
    assert [cell.output_weight for cell in (CELLS["mixture"], row)] == [1.0, 1.0]
