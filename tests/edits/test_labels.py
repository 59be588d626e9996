"""Moves say what they add, known cells by name."""

import pytest

from sknas.edits import AddBranch, AddLayer
from sknas.genotype import NAMED_CELLS, Branch, Cell, Node

OWN = Cell((Node("add", "x", "h"), Node("lin_tanh", "s0", None)), outputs=(1,))


@pytest.mark.parametrize(
    ("cell", "label"),
    [(NAMED_CELLS["lstm"], "lstm"), (NAMED_CELLS["gru"], "gru"), (OWN, "add lin_tanh")],
)
def test_a_branch_and_a_layer_are_called_by_their_cell(cell, label):
    branch = Branch((cell, NAMED_CELLS["rnn"]), 4, 3, "mixed")
    assert str(AddBranch(branch)) == f"AddBranch({label} / rnn; segments of 3)"
    assert str(AddLayer(0, cell)) == f"AddLayer({label} on branch 0)"
