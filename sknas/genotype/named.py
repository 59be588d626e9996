"""The cells that have a name: recurrent classics, and the smallest of this space."""

from __future__ import annotations

from sknas.genotype.parts import Cell, Node

__all__ = ["NAMED_CELLS", "label_of"]

# GRU: 1 - z is the convex carry's gate, so reset gate and candidate remain (Cho et al. 2014).
# LSTM: i, f, o, g, then c' = f c + i g and h' = o tanh(c') (Hochreiter & Schmidhuber 1997).
# Pooling: a perceptron of the input alone, which a gate averages over time (f-pooling, Bradbury et
# al. 2017, arXiv:1611.01576); the gate reads the state, too, as that of Lei et al. (2018) does.
# DARTS: the published recurrent cell of its second version (Liu et al. 2019); operations and
# predecessors are recalled, not read again [R]. s0 is DARTS's first node.
NAMED_CELLS: dict[str, Cell] = {
    "rnn": Cell((Node("lin_tanh", "x", "h"),), outputs=(0,), carry=False),
    "dense": Cell((Node("lin_tanh", "x", None),), outputs=(0,), carry=False),
    "pooling": Cell((Node("lin_relu", "x", "x"), Node("lin_tanh", "x", "s0")), outputs=(0, 1)),
    "highway": Cell((Node("lin_tanh", "x", "h"),), outputs=(0,)),
    "product": Cell((Node("hadamard", "x", "x"),), outputs=(0,)),
    "gru": Cell(
        (
            Node("lin_sigmoid", "x", "h"),
            Node("lin_identity", "h", None),
            Node("hadamard", "s0", "s1"),
            Node("add_tanh", "x", "s2"),
        ),
        outputs=(3,),
    ),
    "lstm": Cell(
        (
            Node("lin_sigmoid", "x", "h"),
            Node("lin_sigmoid", "x", "h"),
            Node("lin_sigmoid", "x", "h"),
            Node("lin_tanh", "x", "h"),
            Node("hadamard", "s1", "c"),
            Node("hadamard", "s0", "s3"),
            Node("add", "s4", "s5"),
            Node("add_tanh", "s6", None),
            Node("hadamard", "s2", "s7"),
        ),
        outputs=(8,),
        memory=6,
        carry=False,
    ),
    "darts": Cell(
        (
            Node("highway_tanh", "h", "x"),
            Node("highway_sigmoid", "s0", None),
            Node("highway_relu", "s1", None),
            Node("highway_relu", "s1", None),
            Node("highway_identity", "s1", None),
            Node("highway_tanh", "s2", None),
            Node("highway_sigmoid", "s5", None),
            Node("highway_tanh", "s3", None),
            Node("highway_relu", "s5", None),
        ),
        outputs=tuple(range(1, 9)),
        carry=False,
    ),
}


def label_of(cell: Cell) -> str:
    """Return what a cell is called in a line of text.

    Parameters
    ----------
    cell : Cell
        The cell.

    Returns
    -------
    str
        The name of a cell that has one, else its operations.

    Examples
    --------
    >>> label_of(NAMED_CELLS["gru"])
    'gru'
    >>> label_of(Cell((Node("add", "x", "h"), Node("lin_tanh", "s0", None)), outputs=(1,)))
    'add lin_tanh'
    """
    names = [name for name, known in NAMED_CELLS.items() if known == cell]
    return names[0] if names else " ".join(node.operation for node in cell.nodes)
