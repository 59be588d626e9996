"""A two-input node's values over time, and the way back from their gradients, written by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from sknas.supernet.node_plan import NodePlan

__all__ = ["NodeScan", "NodeWayBack"]


class NodeScan:
    """What `NodePlan.value` is, step by step on a stack of values and without a graph.

    The sources of both operands are mixed in one product, and so are the candidates; those that
    only add operands need none of their own.

    Parameters
    ----------
    plan : NodePlan
        The node.
    names : list of str
        What stands on the stack before the node: state, memory and earlier nodes, a row each.
    stack : Tensor of shape (n_steps, n_rows, batch, hidden)
        The values; `step` adds the node's.
    scratch : Tensor of shape (n_steps, n_scratch_rows, batch, hidden)
        Room for operands and candidates, which the way back reads.
    """

    def __init__(self, plan: NodePlan, names: list[str], stack: Tensor, scratch: Tensor) -> None:
        self.plan, self.row = plan, len(names)
        self.place = {name: row for row, name in enumerate(names)}
        self.others = [i for i, op in enumerate(plan.operations) if op.coefficients is None]
        self.sums = plan.gates.new_tensor([op.coefficients or (0.0, 0.0) for op in plan.operations])
        self.factors = plan.gates @ self.sums  # of the operands, in the node's value
        self.factors[0] += plan.skip
        self.mixture = torch.cat([self.factors, plan.gates[self.others]])[None]
        self.edges = plan.edges.new_zeros(2, self.row)
        self.edges[:, [self.place[name] for name in plan.sources]] = plan.edges
        self.candidates = scratch[:, 2:]
        if plan.direct is None:
            self.operands = [scratch[:, slot] for slot in (0, 1)]
        else:
            zero = stack.new_zeros(()).expand_as(stack[:, 0])
            rows = [None if name is None else self.place[name] for name in plan.direct]
            self.operands = [zero if row is None else stack[:, row] for row in rows]
        self.projected = stack.new_empty(len(stack), stack.shape[2], plan.n_projected)
        # The same by time steps, some as matrices with a row a value.
        self.sources = stack[:, : self.row].flatten(2).unbind(0)
        self._mixed = scratch[:, :2].flatten(2).unbind(0)
        self._candidates = self.candidates.unbind(0)
        self._rows = self.candidates.flatten(2).unbind(0)
        self._value = stack[:, self.row : self.row + 1].flatten(2).unbind(0)
        self._by_step = list(zip(*self.operands, self.projected, strict=True))

    @staticmethod
    def n_scratch_rows(plan: NodePlan) -> int:
        """Return how many rows of scratch a node needs.

        Parameters
        ----------
        plan : NodePlan
            The node.

        Returns
        -------
        int
            Rows: operands before and after x enters them, and candidates that are no sums.
        """
        return 4 + sum(op.coefficients is None for op in plan.operations)

    def step(self, t: int, entering: Tensor) -> None:
        """Put the node's value at a time step on the stack.

        Parameters
        ----------
        t : int
            The step.
        entering : Tensor of shape (batch, n_columns)
            What comes from x.
        """
        plan = self.plan
        if plan.direct is None:
            torch.mm(self.edges, self.sources[t], out=self._mixed[t])
        left, right, projected = self._by_step[t]
        own, *pieces = plan.parts_of(entering)
        if plan.left_weight is not None:
            torch.addmm(own, left, plan.left_weight, out=projected)
            if plan.right_weight is not None:
                projected.addmm_(right, plan.right_weight)
        elif plan.right_weight is not None:
            torch.addmm(own, right, plan.right_weight, out=projected)
        else:
            projected.copy_(own)
        for side, piece in zip(plan.entry_sides, pieces, strict=True):
            left, right = (left + piece, right) if side == "left" else (left, right + piece)
        candidates = [
            plan.operations[i].combine(left, right, plan.columns[i].of(projected))
            for i in self.others
        ]
        torch.stack([left, right, *candidates], out=self._candidates[t])
        torch.mm(self.mixture, self._rows[t], out=self._value[t])


class NodeWayBack:
    """The derivative of a `NodeScan`, by stretches of steps from the last one to the first.

    What does not depend on the gradient is computed for all steps of a stretch at once, and so are
    the gradients of weights and gates.

    Parameters
    ----------
    scan : NodeScan
        The node, all steps done.
    to_stack : Tensor of shape (n_steps_of_a_stretch, n_rows, batch, hidden)
        Gradients of the stack's values.
    to_entering : Tensor of shape (n_steps_of_a_stretch, batch, n_columns)
        Where the gradient of what comes from x is put.
    """

    def __init__(self, scan: NodeScan, to_stack: Tensor, to_entering: Tensor) -> None:
        plan = scan.plan
        self.scan = scan
        self.to_node = to_stack[:, scan.row]
        self.to_value = self.to_node.unbind(0)
        self.to_sources = to_stack[:, : scan.row].flatten(2).unbind(0)
        to_operands = torch.empty_like(to_stack[0, :2])
        self.to_operands = to_operands.flatten(1)  # (2, batch * hidden)
        self.to_left, self.to_right = to_operands
        self.to_projected, *pieces = plan.parts_of(to_entering)
        self.to_own = self.to_projected.unbind(0)
        sides = zip(plan.entry_sides, pieces, strict=True)
        self.to_entries = {side: piece.unbind(0) for side, piece in sides}
        self.to_pieces = [columns.by_unit(self.to_projected).unbind(0) for columns in plan.shared]
        self.to_edges = torch.zeros_like(scan.edges)
        self.to_mixture = torch.zeros_like(scan.mixture[0])
        self.weights = [
            (total, weight, weight.t(), operand)
            for total, weight, operand in zip(
                to_operands, (plan.left_weight, plan.right_weight), scan.operands, strict=True
            )
            if weight is not None
        ]
        self.to_weights = [torch.zeros_like(weight) for _, weight, _, _ in self.weights]

    def begin(self, steps: slice) -> None:
        """Compute the derivatives of a stretch that need no gradient.

        Parameters
        ----------
        steps : slice
            The stretch.
        """
        scan, plan = self.scan, self.scan.plan
        left, right, *candidates = scan.candidates[steps].unbind(1)
        projected = scan.projected[steps]
        slopes = scan.factors[:, None, None, None].expand(2, *left.shape).contiguous()
        by_projected = torch.zeros_like(projected)
        for i, value in zip(scan.others, candidates, strict=True):
            columns, gate = plan.columns[i], float(plan.gates[i])
            own = columns.of(projected)
            *by_operands, by_own = plan.operations[i].slopes(left, right, own, value)
            for total, part in zip(slopes, by_operands, strict=True):
                if part is not None:
                    total.add_(part, alpha=gate)
            if by_own is not None:
                columns.add_to(by_projected, by_own, gate)
        self.by_left, self.by_right = (slope.unbind(0) for slope in slopes)
        self.by_pieces = [columns.by_unit(by_projected).unbind(0) for columns in plan.shared]

    def step(self, t: int, i: int) -> None:
        """Add to the gradients of the sources what the node's value at a time step passes on.

        Parameters
        ----------
        t : int
            The step; the gradient of the value is complete.
        i : int
            Its place in the stretch.
        """
        scan, gradient = self.scan, self.to_value[i]
        torch.mul(gradient, self.by_left[i], out=self.to_left)
        torch.mul(gradient, self.by_right[i], out=self.to_right)
        for side, to_entry in self.to_entries.items():
            to_entry[i].copy_(self.to_left if side == "left" else self.to_right)
        for by_pieces, to_pieces in zip(self.by_pieces, self.to_pieces, strict=True):
            torch.mul(gradient.unsqueeze(-1), by_pieces[i], out=to_pieces[i])
        for to_operand, _, transposed, _ in self.weights:
            to_operand.addmm_(self.to_own[i], transposed)
        if scan.plan.direct is None:
            self.to_sources[i].addmm_(scan.edges.t(), self.to_operands)
            self.to_edges.addmm_(self.to_operands, scan.sources[t].t())
        else:
            for name, part in zip(scan.plan.direct, self.to_operands, strict=True):
                if name is not None:
                    self.to_sources[i][scan.place[name]].add_(part)

    def end(self, steps: slice) -> None:
        """Add a stretch to the gradients of gates and weights.

        Parameters
        ----------
        steps : slice
            The stretch, all of it walked back over.
        """
        n_steps = steps.stop - steps.start
        to_node = self.to_node[:n_steps].flatten(1)[..., None]  # (n_steps, batch * hidden, 1)
        products = self.scan.candidates[steps].flatten(2) @ to_node
        self.to_mixture += products.sum(dim=(0, 2))
        to_projected = self.to_projected[:n_steps].flatten(0, 1)
        for total, (_, _, _, operand) in zip(self.to_weights, self.weights, strict=True):
            total.addmm_(operand[steps].flatten(0, 1).t(), to_projected)

    def gradients(self) -> list[Tensor | None]:
        """Return the gradients of gates, edges, left and right weight."""
        scan, plan = self.scan, self.scan.plan
        to_gates = scan.sums @ self.to_mixture[:2]
        to_gates[scan.others] += self.to_mixture[2:]
        hidden = [scan.place[name] for name in plan.sources]
        weights = iter(self.to_weights)
        return [
            to_gates,
            self.to_edges[:, hidden],
            *(None if w is None else next(weights) for w in (plan.left_weight, plan.right_weight)),
        ]
