"""What the fast loop of a fixed cell does at each step, worked out once from its genotype."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from sknas.genotype import INPUT, MEMORY, STATE, Cell, Node
from sknas.ops import UnitwiseOp, get_op, unitwise

__all__ = ["CARRY", "CellPlan", "PlannedNode", "Product", "plan_cell"]

CARRY = "carry"
_SIDES = ("left", "right")

Terms = dict[str, list[str]]  # the sources of a projection, and its weights on each
Scales = tuple[int, ...]  # nodes whose scales multiply


@dataclass(frozen=True)
class Product:
    """One product: of a source with the weights of all neighbouring projections that read it.

    Attributes
    ----------
    source : str
        ``"x"``, ``"h"``, ``"c"`` or ``"s<i>"``.
    start, stop : int
        The pieces that it adds to, of all pieces of all projections.
    terms : tuple of (str, tuple of str)
        The projections, by their keys, and the weights of each whose sum reads the source.
    is_first : bool
        Whether nothing was added to them before, but the bias.
    scales : tuple of int
        The scales that the source still has to be multiplied by, and the weights are instead.
    """

    source: str
    start: int
    stop: int
    terms: tuple[tuple[str, tuple[str, ...]], ...]
    is_first: bool
    scales: Scales


@dataclass(frozen=True)
class PlannedNode:
    """A node of the cell that something depends on.

    Attributes
    ----------
    name : str
        ``"s<i>"``, node i of the genotype.
    op : UnitwiseOp
        Its operation.
    left, right : str or None
        What its operation reads: a source, or the key of the projection that the input enters
        through; None for zero, or for nothing.
    pieces : tuple of int
        The pieces of its projection.
    factors : tuple of tuple of int
        What its value is multiplied by, as products of scales; for a sum there may be two, one for
        either operand. Empty where all that read it are linear in it, and multiply themselves.
    """

    name: str
    op: UnitwiseOp
    left: str | None
    right: str | None
    pieces: tuple[int, ...]
    factors: tuple[Scales, ...]

    @property
    def is_weighted_sum(self) -> bool:
        """Whether its value is the sum of its operands, each multiplied by a factor."""
        return len(self.factors) > 1


@dataclass(frozen=True)
class CellPlan:
    """The layout of all projections of a cell, its products and its nodes in order.

    The pieces of all projections stand one behind the other: those that read the state alone, state
    and input, the input alone, and neither. So the products with the state, and with the input,
    fill neighbouring pieces. The plan counts in pieces, and holds whatever the width of the state.

    Attributes
    ----------
    projections : tuple of str
        The keys of the projections in the order of their pieces: ``"<i>"`` of node i,
        ``"<i>.<side>"`` of the input as its operand, and ``"carry"``.
    pieces : tuple of tuple of int
        The pieces of each of them.
    on_input : Product or None
        What reads the input.
    products : tuple of Product
        The further ones, each as soon as its source is there.
    nodes : tuple of PlannedNode
        In order of evaluation.
    outputs : tuple of (str, tuple of int)
        Nodes whose weighted sum is the proposal, and the scales that each still lacks.
    memory : str or None
        The node that becomes the next memory.
    """

    projections: tuple[str, ...]
    pieces: tuple[tuple[int, ...], ...]
    on_input: Product | None
    products: tuple[Product, ...]
    nodes: tuple[PlannedNode, ...]
    outputs: tuple[tuple[str, Scales], ...]
    memory: str | None

    @property
    def n_pieces(self) -> int:
        """Number of pieces of all projections."""
        return sum(map(len, self.pieces))

    @property
    def constant_pieces(self) -> list[int]:
        """The pieces of projections that read nothing, and are their bias."""
        products = self.products if self.on_input is None else (self.on_input, *self.products)
        read = {piece for p in products for piece in range(p.start, p.stop)}
        return [piece for piece in range(self.n_pieces) if piece not in read]

    @property
    def gate(self) -> int | None:
        """The piece that carries the state; None where the proposal replaces it."""
        return self.piece(CARRY) if CARRY in self.projections else None

    @property
    def entries(self) -> tuple[str, ...]:
        """The keys of the projections through which the input itself enters as an operand."""
        return tuple(key for key in self.projections if "." in key)

    def piece(self, key: str) -> int:
        """Return the first piece of a projection.

        Parameters
        ----------
        key : str
            One of `projections`.

        Returns
        -------
        int
            Its place among all pieces.
        """
        return self.pieces[self.projections.index(key)][0]


def plan_cell(genotype: Cell) -> CellPlan:
    """Plan the loop of a cell.

    Parameters
    ----------
    genotype : Cell
        The cell.

    Returns
    -------
    CellPlan
        What it does at each step.
    """
    ops = {i: _op(genotype.nodes[i]) for i in _live(genotype)}
    reads, widths = _projections(genotype, ops)
    keys = sorted(reads, key=lambda key: (_rank(reads[key]), sorted(reads[key])))
    ends = [sum(widths[key] for key in keys[: place + 1]) for place in range(len(keys))]
    pieces = {k: tuple(range(end - widths[k], end)) for k, end in zip(keys, ends, strict=True)}
    lacking = _lacking(genotype, ops)
    products = _products(keys, pieces, reads, {f"s{i}": scales for i, scales in lacking.items()})
    on_input = [product for product in products if product.source == INPUT]
    nodes = []
    for index, op in ops.items():
        node, own = genotype.nodes[index], pieces.get(f"{index}", ())
        left, right = _operands(index, node, op)
        factors = _factors(index, node, op, lacking)
        nodes.append(PlannedNode(f"s{index}", op, left, right, own, factors))
    return CellPlan(
        tuple(keys),
        tuple(pieces.values()),
        on_input=on_input[0] if on_input else None,
        products=tuple(product for product in products if product.source != INPUT),
        nodes=tuple(nodes),
        outputs=tuple((f"s{index}", lacking[index]) for index in genotype.outputs),
        memory=None if genotype.memory is None else f"s{genotype.memory}",
    )


def _live(genotype: Cell) -> list[int]:
    """Return the nodes that the next state or memory depends on."""
    names = {f"s{index}" for index in genotype.outputs}
    if genotype.memory is not None:
        names.add(f"s{genotype.memory}")
    for index in reversed(range(len(genotype.nodes))):
        if f"s{index}" in names:
            node = genotype.nodes[index]
            op = get_op(node.operation)
            uses = (op.reads_left or op.projects_left, op.reads_right or op.projects_right)
            names |= {
                n for n, used in zip((node.left, node.right), uses, strict=True) if used and n
            }
    return [index for index in range(len(genotype.nodes)) if f"s{index}" in names]


def _op(node: Node) -> UnitwiseOp:
    op = unitwise(get_op(node.operation))
    return op if node.right is not None or op.alone is None else op.alone


def _projections(
    genotype: Cell, ops: dict[int, UnitwiseOp]
) -> tuple[dict[str, Terms], dict[str, int]]:
    """Return what each projection reads, and its number of pieces."""
    reads: dict[str, Terms] = {}
    widths: dict[str, int] = {}
    for index, op in ops.items():
        node = genotype.nodes[index]
        if op.has_projection:
            terms = defaultdict(list)
            projects = (op.projects_left, op.projects_right)
            for side, name, is_read in zip(_SIDES, (node.left, node.right), projects, strict=True):
                if is_read and name is not None:
                    terms[name].append(f"input_{side}" if name == INPUT else side)
            reads[f"{index}"], widths[f"{index}"] = dict(terms), op.n_projections
        for operand in _operands(index, node, op):
            if operand is not None and "." in operand:
                side = operand.split(".")[1]
                reads[operand], widths[operand] = {INPUT: [f"input_{side}"]}, 1
    if genotype.carry:
        reads[CARRY], widths[CARRY] = {INPUT: ["input_left"], STATE: ["right"]}, 1
    return reads, widths


def _operands(index: int, node: Node, op: UnitwiseOp) -> tuple[str | None, str | None]:
    left = f"{index}.left" if node.left == INPUT else node.left
    right = f"{index}.right" if node.right == INPUT else node.right
    return left if op.reads_left else None, right if op.reads_right else None


def _rank(terms: Terms) -> int:
    """Return the place of a projection among those of state, state and input, input, neither."""
    return ((3, 2), (0, 1))[STATE in terms][INPUT in terms]


def _scales(index: int, node: Node, op: UnitwiseOp, lacking: dict[int, Scales]) -> Scales:
    """Return the scales of a node: its own, and those that the operands it is linear in lack."""
    own: Scales = (index,)
    for name, is_linear in ((node.left, op.is_linear_left), (node.right, op.is_linear_right)):
        if is_linear:
            own += _lacked(name, lacking)
    return own


def _factors(
    index: int, node: Node, op: UnitwiseOp, lacking: dict[int, Scales]
) -> tuple[Scales, ...]:
    """Return what a node's value, or each operand of a sum, is multiplied by."""
    own = () if lacking[index] else _scales(index, node, op, lacking)
    if op.is_sum:
        operands = tuple(_lacked(name, lacking) for name in (node.left, node.right))
        if any(operands):
            return tuple(own + operand for operand in operands)
    return (own,) if own else ()


def _lacked(name: str | None, lacking: dict[int, Scales]) -> Scales:
    """Return the scales that an operand still has to be multiplied by."""
    return () if name is None or not name[1:].isdigit() else lacking[int(name[1:])]


def _lacking(genotype: Cell, ops: dict[int, UnitwiseOp]) -> dict[int, Scales]:
    """Return the scales that the kept value of each node is not multiplied by.

    A product, a sum and an operation that is linear in an operand can all be multiplied in its
    place; an operation that is not, and the next step, need the value itself.
    """
    needed = set() if genotype.memory is None else {f"s{genotype.memory}"}
    for index, op in ops.items():
        node = genotype.nodes[index]
        if op.reads_left and not (op.is_linear_left or op.is_sum):
            needed.add(node.left)
        if op.reads_right and not (op.is_linear_right or op.is_sum) and node.right is not None:
            needed.add(node.right)
    lacking: dict[int, Scales] = {}
    for index, op in ops.items():
        own = _scales(index, genotype.nodes[index], op, lacking)
        lacking[index] = () if f"s{index}" in needed else own
    return lacking


def _products(
    keys: list[str],
    pieces: dict[str, tuple[int, ...]],
    reads: dict[str, Terms],
    lacking: dict[str, Scales],
) -> list[Product]:
    """Return the products of each source, one for all neighbours that have come as far."""
    products: list[Product] = []
    started: set[str] = set()
    for source in (INPUT, STATE, MEMORY, *lacking):
        readers = [key for key in keys if source in reads[key]]
        # A reader's place among all projections, less that among readers, is one for neighbours.
        found = [(keys.index(key) - i, key in started, key) for i, key in enumerate(readers)]
        for _, group in groupby(found, itemgetter(0, 1)):
            run = [key for _, _, key in group]
            products.append(
                Product(
                    source,
                    pieces[run[0]][0],
                    pieces[run[-1]][-1] + 1,
                    tuple((key, tuple(reads[key][source])) for key in run),
                    is_first=run[0] not in started,
                    scales=lacking.get(source, ()),
                )
            )
        started.update(readers)
    return products
