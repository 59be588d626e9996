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


def n_rows_of(plan: NodePlan) -> int:
    """Return how many rows a node keeps of each step.

    Parameters
    ----------
    plan : NodePlan
        The node.

    Returns
    -------
    int
        Those of the pieces and of the operands, before x enters these and after it, if it does.
    """
    return plan.n_pieces + (4 if plan.has_entries else 2)


class NodeScan:
    """What `NodePlan.value` is, step by step on a stack of values and without a graph.

    The sources of both operands are mixed in one product, and so are the candidates. All but the
    node's value is computed in a room that the next node, and the next step, uses again. What
    candidates are made of is kept; they are computed again on the way back, which is faster than to
    bring them to memory and from there.

    Parameters
    ----------
    plan : NodePlan
        The node.
    candidates : Candidates
        The node's.
    names : list of str
        What stands on the stack before the node: state, memory and earlier nodes, a row each.
    stack : Tensor of shape (n_steps, n_rows, hidden, batch)
        The values; `step` adds the node's.
    kept : Tensor of shape (n_steps, n_kept_rows, hidden, batch)
        Where to keep the rows that `n_rows_of` counts; of no steps where there is no way back.
    room : Tensor of shape (n_room_rows, hidden, batch)
        Where to compute: two rows more than the candidates' at least.
    """

    def __init__(
        self,
        plan: NodePlan,
        candidates: Candidates,
        names: list[str],
        stack: Tensor,
        kept: Tensor,
        room: Tensor,
    ) -> None:
        self.plan, self.candidates, self.row, self.kept = plan, candidates, len(names), kept
        self.hidden = [names.index(name) for name in plan.sources]
        self.edges = plan.edges.new_zeros(2, self.row)
        self.edges[:, self.hidden] = plan.edges[:, plan.places]
        zero = plan.edges.new_zeros(plan.n_hidden, plan.n_projected)
        sides = (plan.left_weight, plan.right_weight)
        self.weight = torch.cat([zero if side is None else side for side in sides])
        # Operands before x enters them, if it does, and then the rows of the candidates.
        self.n_before = kept.shape[1] - candidates.n_given
        self.mixed = slice(0, 2) if plan.has_entries else slice(plan.n_pieces, plan.n_pieces + 2)
        mixed, own = room[self.mixed], room[self.n_before : self.n_before + candidates.n_rows]
        self._mixed, self._operands = mixed.flatten(1), mixed.flatten(0, 1)
        self._calls, self._matrix = candidates.calls(own.unbind(0)), own.flatten(1)
        self._projected = own[: plan.n_pieces].flatten(0, 1)
        self._entered = self._matrix[plan.n_pieces : plan.n_pieces + 2]
        self._mixture, self._turned_weight = candidates.mixture[None], self.weight.t()
        # By time steps: what to read, and where to write.
        self.sources = stack[:, : self.row].flatten(2).unbind(0)
        self._values = stack[:, self.row : self.row + 1].flatten(2).unbind(0)
        self._to_keep, self._kept = room[: kept.shape[1]], kept.unbind(0)
        self._from_x = self._entries = self.sources

    def enter(self, entering: Tensor) -> None:
        """Take what comes from x at the steps that are next.

        Parameters
        ----------
        entering : Tensor of shape (n_steps, n_columns, batch)
            What comes from x.
        """
        n_projected = self.plan.n_projected
        self._from_x = entering[:, :n_projected].unbind(0)
        if self.plan.has_entries:
            self._entries = entering[:, n_projected:].unflatten(1, (2, -1)).flatten(2).unbind(0)

    def step(self, t: int, i: int) -> None:
        """Put the node's value at a time step on the stack.

        Parameters
        ----------
        t : int
            The step.
        i : int
            Its place among those that were entered last.
        """
        torch.mm(self.edges, self.sources[t], out=self._mixed)
        if self.plan.n_pieces:
            torch.addmm(self._from_x[i], self._turned_weight, self._operands, out=self._projected)
        if self.plan.has_entries:
            torch.add(self._mixed, self._entries[i], out=self._entered)
        for call in self._calls:
            call()
        torch.mm(self._mixture, self._matrix, out=self._values[t])
        if self._kept:
            self._kept[t].copy_(self._to_keep)


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
        plan, candidates = scan.plan, scan.candidates
        self.scan = scan
        n_steps, _, n_hidden, batch = to_stack.shape
        n_given, n_made = candidates.n_given, candidates.n_rows - candidates.n_given
        self._given = scan.kept[:, scan.n_before :]
        self._made = to_stack.new_empty(n_steps, n_made, n_hidden, batch)
        self._slopes = to_stack.new_empty(n_steps, n_given, n_hidden, batch)
        to_own, to_entered = to_entering.tensor_split([plan.n_projected], dim=1)
        slopes = self._slopes.flatten(2)
        # Pairs of slopes and gradients: one where the gradients are neighbours.
        if plan.has_entries:
            to_given = [(slopes, to_entering.unflatten(1, (-1, n_hidden)).flatten(2))]
        else:
            to_entered = to_stack.new_empty(n_steps, 2 * n_hidden, batch)
            by_pieces, by_operands = slopes.tensor_split([plan.n_pieces], dim=1)
            to_given = [(by_operands, to_entered.unflatten(1, (2, n_hidden)).flatten(2))]
            if plan.n_pieces:
                to_given.append((by_pieces, to_own.unflatten(1, (-1, n_hidden)).flatten(2)))
        self._to_given = [list(zip(*(x.unbind(0) for x in pair), strict=True)) for pair in to_given]
        self._to_own, self._to_entered = to_own.unbind(0), to_entered.unbind(0)
        self._given_rows = self._given.flatten(2).unbind(0)
        self._made_rows = self._made.flatten(2).unbind(0)
        self._to_value = to_stack[:, scan.row].flatten(1).unbind(0)
        self._to_sources = to_stack[:, : scan.row].flatten(2).unbind(0)
        self._operands = scan.kept[:, scan.mixed].flatten(1, 2).unbind(0)
        self._to_operands = torch.empty_like(to_entered[0])
        self.to_given = to_stack.new_zeros(n_given)
        self.to_made = to_stack.new_zeros(n_made)
        self.to_edges = torch.zeros_like(scan.edges)
        self.to_weight = torch.zeros_like(scan.weight)
        self._learns = any(
            weight is not None and weight.requires_grad
            for weight in (plan.left_weight, plan.right_weight)
        )

    def begin(self, steps: slice) -> None:
        """Compute what needs no gradient of a stretch: its candidates, and their slopes.

        Parameters
        ----------
        steps : slice
            The stretch.
        """
        candidates, given = self.scan.candidates, self._given[steps].unbind(1)
        n_steps = len(given[0])
        rows = (*given, *self._made[:n_steps].unbind(1))
        for call in candidates.calls(rows):
            call()
        candidates.slopes(rows, self._slopes[:n_steps].unbind(1))

    def step(self, t: int, i: int) -> None:
        """Add to the gradients of the sources what the node's value at a time step passes on.

        Parameters
        ----------
        t : int
            The step; the gradient of the value is complete.
        i : int
            Its place in the stretch.
        """
        scan, to_value, to_operands = self.scan, self._to_value[i], self._to_entered[i]
        self.to_given.addmv_(self._given_rows[t], to_value)
        self.to_made.addmv_(self._made_rows[i], to_value)
        for pairs in self._to_given:
            slopes, gradients = pairs[i]
            torch.mul(to_value, slopes, out=gradients)
        if scan.plan.n_pieces:
            to_own = self._to_own[i]
            if self._learns:
                self.to_weight.addmm_(self._operands[t], to_own.t())
            to_operands = torch.addmm(to_operands, scan.weight, to_own, out=self._to_operands)
        to_mixed = to_operands.view(2, -1)
        self._to_sources[i].addmm_(scan.edges.t(), to_mixed)
        self.to_edges.addmm_(to_mixed, scan.sources[t].t())

    def gradients(self) -> list[Tensor | None]:
        """Return the gradients of gates, edges, left and right weight."""
        scan, plan = self.scan, self.scan.plan
        to_edges = torch.zeros_like(plan.edges)
        to_edges[:, plan.places] = self.to_edges[:, scan.hidden]
        to_left, to_right = self.to_weight.split(plan.n_hidden)
        return [
            scan.candidates.to_gates(torch.cat([self.to_given, self.to_made])),
            to_edges,
            None if plan.left_weight is None else to_left,
            None if plan.right_weight is None else to_right,
        ]
