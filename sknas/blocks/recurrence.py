"""The loop over time that every cell runs in, with its bounded state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sknas.genotype import MEMORY, STATE

__all__ = ["MEMORY_BOUND", "STATE_BOUND", "RecurrentCell", "carry_on", "recur", "within"]

# A state enters the next step within these bounds. |h| < 1 in a GRU and an LSTM, and |c_t| <= t in
# an LSTM, so both are exact over a thousand steps, while no genotype can diverge.
STATE_BOUND = 4.0
MEMORY_BOUND = 1e3

Update = Callable[[dict[str, Tensor]], tuple[Tensor, Tensor | None]]


class RecurrentCell(nn.Module, ABC):
    """Interface of a cell that runs over a sequence.

    Attributes
    ----------
    n_inputs, n_hidden : int
        Widths of input and state.
    has_memory : bool
        Whether a second state is carried.
    """

    n_inputs: int
    n_hidden: int
    has_memory: bool

    @abstractmethod
    def forward(self, inputs: Tensor, present: Tensor | None = None) -> Tensor:
        """Run over a sequence, from a zero state.

        Parameters
        ----------
        inputs : Tensor of shape (n_steps, batch, n_inputs)
            The sequence.
        present : Tensor of shape (n_steps, batch, 1) or None
            Steps that count; the state passes over the others unchanged.

        Returns
        -------
        Tensor of shape (n_steps, batch, n_hidden)
            The state after each step.
        """


def recur(
    updates: Sequence[Update], state: Tensor, present: Tensor | None = None, *, has_memory: bool
) -> Tensor:
    """Carry a bounded state over time steps.

    Parameters
    ----------
    updates : sequence of callable
        For each step, what makes the next state and memory of the present ones, by name.
    state : Tensor of shape (batch, n_hidden)
        The first state, and the first memory.
    present : Tensor of shape (n_steps, batch, 1) or None, default=None
        Steps that count; the state passes over the others unchanged.
    has_memory : bool
        Whether there is a second state.

    Returns
    -------
    Tensor of shape (n_steps, batch, n_hidden)
        The state after each step.
    """
    memory: Tensor | None = state if has_memory else None
    states = []
    for t, update in enumerate(updates):
        here = None if present is None else present[t]
        state, memory = carry_on(update, state, memory, here)
        states.append(state)
    return torch.stack(states)  # (n_steps, batch, n_hidden)


def carry_on(
    update: Update, state: Tensor, memory: Tensor | None, present: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Carry a bounded state over one time step.

    Parameters
    ----------
    update : callable
        Makes the next state and memory of the present ones, by name.
    state : Tensor of shape (batch, n_hidden)
        The state before.
    memory : Tensor of shape (batch, n_hidden) or None
        The memory before, where there is one.
    present : Tensor of shape (batch, 1) or None
        Where the step counts; elsewhere both pass over it unchanged.

    Returns
    -------
    tuple of (Tensor, Tensor or None)
        Both after the step.
    """
    values = {STATE: state.clamp(-STATE_BOUND, STATE_BOUND)}
    if memory is not None:
        values[MEMORY] = memory.clamp(-MEMORY_BOUND, MEMORY_BOUND)
    new_state, new_memory = update(values)
    if present is not None:
        new_state = torch.where(present, new_state, state)
        if memory is not None and new_memory is not None:
            new_memory = torch.where(present, new_memory, memory)
    return new_state, new_memory


def within(states: Tensor, bound: float) -> Tensor | None:
    """Return where states enter the next step as they are, and not as their bound.

    Parameters
    ----------
    states : Tensor of any shape
        States, or memories.
    bound : float
        What bounds them.

    Returns
    -------
    Tensor of the same shape or None
        One there, and zero elsewhere; None if it is one everywhere.
    """
    if states.numel():
        least, largest = torch.aminmax(states)
        if float(least) < -bound or float(largest) > bound:
            return (states.abs() <= bound).to(states)
    return None
