"""A two-input node's values over time, and the way back from their gradients, written by hand.

Values lie in memory with a row a unit, so that the left and the right operand, one below the other,
are one matrix to project.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sknas.supernet.candidates import Candidates
from sknas.supernet.node_plan import NodePlan

__all__ = ["NodeScan", "NodeWayBack", "n_rows_of"]


def n_rows_of(plan: NodePlan, candidates: Candidates) -> int:
    """Return how many rows of scratch a node needs.

    Parameters
    ----------
    plan : NodePlan
        The node.
    candidates : Candidates
        The node's.

    Returns
    -------
    int
        Rows.
    """
    n_operands = 4 if plan.has_entries else 2
    return plan.n_projected // plan.n_hidden + n_operands + candidates.n_values


class NodeScan:
    """What `NodePlan.value` is, step by step on a stack of values and without a graph.

    The sources of both operands are mixed in one product, and so are the candidates; those that
    only add operands need no value of their own.

    Parameters
    ----------
    plan : NodePlan
        The node.
    names : list of str
        What stands on the stack before the node: state, memory and earlier nodes, a row each.
    stack : Tensor of shape (n_steps, n_rows, hidden, batch)
        The values; `step` adds the node's.
    candidates : Candidates
        The node's.
    scratch : Tensor of shape (n_steps, n_scratch_rows, hidden, batch)
        Room for projections, operands and values of candidates; see `n_rows_of`.
    """

    def __init__(
        self,
        plan: NodePlan,
        names: list[str],
        stack: Tensor,
        candidates: Candidates,
        scratch: Tensor,
    ) -> None:
        self.plan, self.row = plan, len(names)
        self.candidates = candidates
        self.mixture = candidates.mixture[None]
        self.hidden = [names.index(name) for name in plan.sources]
        self.edges = plan.edges.new_zeros(2, self.row)
        self.edges[:, self.hidden] = plan.edges[:, plan.places]
        zero = plan.edges.new_zeros(plan.n_hidden, plan.n_projected)
        sides = (plan.left_weight, plan.right_weight)
        self.weight = torch.cat([zero if side is None else side for side in sides])
        # Projections, operands before x enters them, then after it, if it does, and candidates.
        n_pieces = plan.n_projected // plan.n_hidden
        projected, mixed, self.terms = scratch.tensor_split((n_pieces, n_pieces + 2), dim=1)
        self.terms = self.terms if plan.has_entries else scratch[:, n_pieces:]
        self.projected = projected.flatten(1, 2)
        # By time steps: matrices with a row a value, and with a row a unit.
        self.sources = stack[:, : self.row].flatten(2)
        self.rows = self.terms.flatten(2)
        self.operands = mixed.flatten(1, 2)
        self._mixed, self._values = mixed.flatten(2), self.terms[:, 2:]
        self._value = stack[:, self.row : self.row + 1].flatten(2)
        self._left, self._right = self.terms[:, 0], self.terms[:, 1]
        self._turned_weight = self.weight.t()
        self._from_x = self._entries = self.operands
        self._entered = self.rows[:, :2]

    def enter(self, entering: Tensor) -> None:
        """Take what comes from x at the steps that are next.

        Parameters
        ----------
        entering : Tensor of shape (n_steps, n_columns, batch)
            What comes from x.
        """
        n_projected = self.plan.n_projected
        self._from_x = entering[:, :n_projected]
        if self.plan.has_entries:
            self._entries = entering[:, n_projected:].unflatten(1, (2, -1)).flatten(2)

    def step(self, t: int, i: int) -> None:
        """Put the node's value at a time step on the stack.

        Parameters
        ----------
        t : int
            The step.
        i : int
            Its place among those that were entered last.
        """
        plan, mixed, projected = self.plan, self._mixed[t], self.projected[t]
        torch.mm(self.edges, self.sources[t], out=mixed)
        if plan.n_projected:
            operands = self.operands[t]
            torch.addmm(self._from_x[i], self._turned_weight, operands, out=projected)
        if plan.has_entries:
            torch.add(mixed, self._entries[i], out=self._entered[t])
        if self.candidates.n_values:
            values = self.candidates.values(self._left[t], self._right[t], projected)
            torch.stack(values, out=self._values[t])
        torch.mm(self.mixture, self.rows[t], out=self._value[t])


class NodeWayBack:
    """The derivative of a `NodeScan`, by stretches of steps from the last one to the first.

    What does not depend on the gradient is computed for all steps of a stretch at once.

    Parameters
    ----------
    scan : NodeScan
        The node, all steps done.
    to_stack : Tensor of shape (n_steps_of_a_stretch, n_rows, hidden, batch)
        Gradients of the stack's values.
    to_entering : Tensor of shape (n_steps_of_a_stretch, n_columns, batch)
        Where the gradient of what comes from x is put.
    """

    def __init__(self, scan: NodeScan, to_stack: Tensor, to_entering: Tensor) -> None:
        plan = scan.plan
        self.scan = scan
        self.to_value = to_stack[:, scan.row].mT[..., None]
        self.to_row = to_stack[:, scan.row].flatten(1)
        self.to_sources = to_stack[:, : scan.row].flatten(2)
        self.to_own = to_entering[:, : plan.n_projected]
        self.to_pieces = [c.by_unit(self.to_own.mT) for c in plan.shared]
        n_steps, _, n_hidden, batch = to_stack.shape
        entered = to_stack.new_empty(n_steps, 2, n_hidden, batch)
        if plan.has_entries:
            entered = to_entering[:, plan.n_projected :].unflatten(1, (2, n_hidden))
        self.to_entered, self.to_units = entered.flatten(2), entered.flatten(1, 2)
        # One matrix of projection and both operands, where the gradients lie like that.
        is_matrix = plan.has_entries and plan.n_projected == n_hidden
        self.to_all = to_entering.unflatten(1, (3, -1)).flatten(2) if is_matrix else None
        self.to_operands = torch.empty_like(self.to_units[0])
        self.to_mixture = torch.zeros_like(scan.mixture[0])
        self.to_edges = torch.zeros_like(scan.edges)
        self.to_weight = torch.zeros_like(scan.weight)

    def begin(self, steps: slice) -> None:
        """Compute the derivatives of a stretch that need no gradient.

        Parameters
        ----------
        steps : slice
            The stretch.
        """
        scan, plan = self.scan, self.scan.plan
        left, right, *values = scan.terms[steps].unbind(1)
        projected = scan.projected[steps]
        n_steps, n_hidden, batch = left.shape
        by_all = left.new_zeros(n_steps, plan.n_projected + 2 * n_hidden, batch)
        by_projected, by_entered = by_all.tensor_split([plan.n_projected], dim=1)
        by_left, by_right = by_entered.tensor_split(2, dim=1)
        by_left += scan.mixture[0, 0]
        by_right += scan.mixture[0, 1]
        scan.candidates.add_slopes(
            (left, right, projected), values, (by_left, by_right, by_projected)
        )
        if self.to_all is not None:
            self.by_all = by_all.view(n_steps, 3, -1)
            return
        self.by_entered = by_entered.view(n_steps, 2, -1)
        self.by_pieces = [c.by_unit(by_projected.mT) for c in plan.shared]

    def step(self, t: int, i: int) -> None:
        """Add to the gradients of the sources what the node's value at a time step passes on.

        Parameters
        ----------
        t : int
            The step; the gradient of the value is complete.
        i : int
            Its place in the stretch.
        """
        scan, gradient, to_operands = self.scan, self.to_row[i], self.to_units[i]
        self.to_mixture.addmv_(scan.rows[t], gradient)
        if self.to_all is not None:
            torch.mul(gradient, self.by_all[i], out=self.to_all[i])
        else:
            torch.mul(gradient, self.by_entered[i], out=self.to_entered[i])
            for by_pieces, to_pieces in zip(self.by_pieces, self.to_pieces, strict=True):
                torch.mul(self.to_value[i], by_pieces[i], out=to_pieces[i])
        if scan.plan.n_projected:
            to_own = self.to_own[i]
            self.to_weight.addmm_(scan.operands[t], to_own.t())
            to_operands = torch.addmm(to_operands, scan.weight, to_own, out=self.to_operands)
        to_mixed = to_operands.view(2, -1)
        self.to_sources[i].addmm_(scan.edges.t(), to_mixed)
        self.to_edges.addmm_(to_mixed, scan.sources[t].t())

    def gradients(self) -> list[Tensor | None]:
        """Return the gradients of gates, edges, left and right weight."""
        scan, plan = self.scan, self.scan.plan
        to_edges = torch.zeros_like(plan.edges)
        to_edges[:, plan.places] = self.to_edges[:, scan.hidden]
        to_left, to_right = self.to_weight.split(plan.n_hidden)
        return [
            scan.candidates.to_gates(self.to_mixture),
            to_edges,
            None if plan.left_weight is None else to_left,
            None if plan.right_weight is None else to_right,
        ]
