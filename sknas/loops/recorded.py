"""A planned cell over a sequence by plain calls: for tracing, and for second derivatives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from sknas.blocks import recur
from sknas.genotype import INPUT, STATE
from sknas.loops.packing import ScanWeights
from sknas.loops.plan import CellPlan, Product

__all__ = ["RecordedStep", "recorded", "recorded_gradients"]

Values = dict[str, Tensor]
Pieces = dict[int, Tensor]  # by their places among all pieces, as far as they are summed


def recorded(
    plan: CellPlan, weights: ScanWeights, inputs: Tensor, n_hidden: int, present: Tensor | None
) -> Tensor:
    """Return what `scan` does, by a loop that autograd records.

    Parameters
    ----------
    plan : CellPlan
        The cell.
    weights : ScanWeights
        Its weights.
    inputs : Tensor of shape (n_steps, batch, n_inputs)
        The sequence.
    n_hidden : int
        Width of the state.
    present : Tensor of shape (n_steps, batch, 1) or None
        Steps that count.

    Returns
    -------
    Tensor of shape (n_steps, batch, n_hidden)
        The state after each step.
    """
    step = RecordedStep(plan, weights, n_hidden)
    state = inputs.new_zeros(inputs.shape[1], n_hidden)
    updates = [partial(step.update, entering=entering) for entering in step.entering(inputs)]
    return recur(updates, state, present, has_memory=plan.memory is not None)


def recorded_gradients(
    loop: Callable[..., Tensor],
    tensors: Sequence[Tensor | None],
    is_wanted: Sequence[bool],
    gradient: Tensor,
) -> tuple[Tensor | None, ...]:
    """Return gradients that can be differentiated themselves.

    Parameters
    ----------
    loop : callable
        Takes the tensors; autograd records what it does.
    tensors : sequence of Tensor or None
        What it is called with.
    is_wanted : sequence of bool
        Of which of them the gradient is asked for.
    gradient : Tensor
        The gradient by what the loop returns.

    Returns
    -------
    tuple of Tensor or None
        One for each tensor; None where it is not asked for.
    """
    # Of views, since of the tensors themselves one may have been made of another.
    views = [None if x is None else x.view_as(x) for x in tensors]
    wanted = {
        place: view for place, view in enumerate(views) if is_wanted[place] and view is not None
    }
    found = torch.autograd.grad(
        loop(*views), list(wanted.values()), gradient, create_graph=True, materialize_grads=True
    )
    of = dict(zip(wanted, found, strict=True))
    return tuple(of.get(place) for place in range(len(views)))


class RecordedStep:
    """What a planned cell computes at one time step, batch first.

    Parameters
    ----------
    plan : CellPlan
        The cell.
    weights : ScanWeights
        Its weights.
    n_hidden : int
        Width of the state.
    """

    def __init__(self, plan: CellPlan, weights: ScanWeights, n_hidden: int) -> None:
        self.plan, self.weights, self.n_hidden = plan, weights, n_hidden
        self.bias = weights.bias.unflatten(0, (plan.n_pieces, n_hidden)).unbind(0)
        self.products: defaultdict[str, list[tuple[Product, Tensor]]] = defaultdict(list)
        for product, weight in zip(plan.products, weights.on_sources, strict=True):
            self.products[product.source].append((product, weight))

    def entering(self, inputs: Tensor) -> list[Values]:
        """Return the product with the input at each step, made of all steps at once.

        Parameters
        ----------
        inputs : Tensor of shape (n_steps, batch, n_inputs)
            The sequence.

        Returns
        -------
        list of dict
            What `update` takes, for each step.
        """
        if self.plan.on_input is None:
            return [{}] * len(inputs)
        product = inputs @ self.weights.on_input  # (n_steps, batch, rows)
        return [{INPUT: step} for step in product.unbind(0)]

    def update(self, values: Values, entering: Values) -> tuple[Tensor, Tensor | None]:
        """Evaluate the nodes in order and carry the state.

        Parameters
        ----------
        values : dict
            The bounded state, and the bounded memory where there is one, by their names.
        entering : dict
            The product with the input at this step.

        Returns
        -------
        tuple of (Tensor, Tensor or None)
            The next state, and memory; see `recur`.
        """
        plan, state = self.plan, values[STATE]
        zero = torch.zeros_like(state)
        pieces = dict(enumerate(bias.expand_as(state) for bias in self.bias))
        if plan.on_input is not None:
            self._add(pieces, plan.on_input, entering[INPUT])
        for name in tuple(values):
            self._multiply(pieces, name, values[name])
        values |= {key: pieces[plan.piece(key)] for key in plan.entries}
        factors = iter(self.weights.factors.unbind(0))
        for node in plan.nodes:
            left, right = (zero if n is None else values[n] for n in (node.left, node.right))
            if node.is_weighted_sum:
                value = left * next(factors) + right * next(factors)
            else:
                own = zip(
                    node.op.activations, (pieces[place] for place in node.pieces), strict=True
                )
                value = node.op.mix(left, right, [phi(piece) for phi, piece in own])
                value = value * next(factors) if node.factors else value
            values[node.name] = value
            self._multiply(pieces, node.name, value)
        outputs = [values[name] for name, _ in plan.outputs]
        weighted = zip(self.weights.outputs.unbind(0), outputs, strict=True)
        proposal = sum((weight * value for weight, value in weighted), start=zero)
        memory = None if plan.memory is None else values[plan.memory]
        if plan.gate is None:
            return proposal, memory
        return torch.lerp(state, proposal, torch.sigmoid(pieces[plan.gate])), memory

    def _multiply(self, pieces: Pieces, name: str, value: Tensor) -> None:
        for product, weight in self.products.get(name, ()):
            self._add(pieces, product, value @ weight)

    def _add(self, pieces: Pieces, product: Product, columns: Tensor) -> None:
        places = range(product.start, product.stop)
        for place, part in zip(places, columns.split(self.n_hidden, dim=1), strict=True):
            pieces[place] = pieces[place] + part
