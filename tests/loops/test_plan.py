"""The plan of a cell's loop scales values where that takes no pass over them."""

import pytest

from sknas.genotype import NAMED_CELLS, Cell, Node
from sknas.loops import plan_cell


def by_name(cell):
    return {node.name: node for node in plan_cell(cell).nodes}


def test_the_memory_of_an_lstm_is_a_weighted_sum_of_its_two_products():
    nodes = by_name(NAMED_CELLS["lstm"])
    assert nodes["s6"].is_weighted_sum
    # Its own scale, and for each operand those of the product and of what that multiplies.
    assert [sorted(factors) for factors in nodes["s6"].factors] == [[1, 4, 6], [0, 3, 5, 6]]
    assert not any(nodes[name].factors for name in nodes if name != "s6")


def test_the_squashed_memory_is_no_sum_with_zero():
    nodes = by_name(NAMED_CELLS["lstm"])
    assert nodes["s7"].right is None
    assert not nodes["s7"].op.reads_right


@pytest.mark.parametrize("operation", ["add", "hadamard", "lin_tanh"])
def test_a_value_that_nothing_else_can_scale_is_scaled_itself(operation):
    cell = Cell((Node(operation, "h", "h"), Node("lin_tanh", "x", "s0")), (0,), memory=0)
    first = by_name(cell)["s0"]
    assert first.factors == ((0,),)
    assert not first.is_weighted_sum


def test_a_sum_whose_readers_scale_it_takes_only_the_scales_of_its_operands():
    nodes = (Node("lin_tanh", "x", "h"), Node("add", "s0", "h"), Node("lin_tanh", "s1", "x"))
    planned = by_name(Cell(nodes, (1, 2)))
    assert planned["s0"].factors == ()
    assert planned["s1"].factors == ((0,), ())
