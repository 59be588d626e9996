"""What a cell and the supernet ask of a node under search, whatever it mixes."""

from __future__ import annotations

from abc import abstractmethod

from torch import Generator, Tensor, nn

from sknas.blocks import Projection
from sknas.blocks.modules import ModuleDict
from sknas.supernet.auxiliary_skip import AuxiliarySkip
from sknas.supernet.mixing import Mixing
from sknas.supernet.node_plan import Plan
from sknas.supernet.relaxation import Relaxation

__all__ = ["SearchNode"]


class SearchNode(nn.Module):
    """Interface of a node: what it decides, what it reads, and how it gets its value.

    Attributes
    ----------
    index : int
        The node's name within its cell; never used again after the node is dropped.
    operations : list of str
        Its candidate operations.
    n_inputs, n_hidden : int
        Widths of the cell's input and state.
    mixing : Mixing
        How the node weighs what it chooses from.
    progress : float
        Share of the time for which the node is mixed that is over: 0 at its birth, 1 in the last
        epoch before candidates are removed.
    is_output : bool
        Whether the cell's output reads the node.
    output_weight : nn.Parameter of shape ()
        What the output weighs it with.
    projections : ModuleDict of str to Projection
        The projections of its operands by the names that operations give to them.
    sampler : torch.Generator or None
        Source of the gates' noise in training; None where gates are free of it.
    skip : AuxiliarySkip or None, default=None
        What fades beside the mixture; None where nothing does, as in a node of one candidate.
    """

    index: int
    operations: list[str]
    n_inputs: int
    n_hidden: int
    mixing: Mixing
    progress: float
    is_output: bool
    output_weight: nn.Parameter
    projections: ModuleDict[Projection]
    sampler: Generator | None
    skip: AuxiliarySkip | None = None

    @property
    def name(self) -> str:
        """The name consumers call the node by."""
        return f"s{self.index}"

    @property
    def relaxation(self) -> Relaxation:
        """How the node weighs its candidates."""
        return self.mixing.relaxation

    @property
    @abstractmethod
    def is_settled(self) -> bool:
        """Whether nothing is left to decide."""

    @property
    @abstractmethod
    def n_candidates(self) -> int:
        """Number of candidates that the node still mixes."""

    @property
    def skip_weight(self) -> float:
        """Weight of the auxiliary skip; zero without one."""
        return 0.0 if self.skip is None else self.skip.weight(self.progress)

    def advance(self, n_epochs_left: int) -> None:
        """Go on by one epoch; what cools, hardens or fades does so while the node is mixed.

        Parameters
        ----------
        n_epochs_left : int
            Epochs to come before candidates are removed; `progress` is 1 in the last of them. It
            may turn out other than it was expected before; the rest of the way is then divided
            anew.
        """
        if not self.is_settled:
            step = (1.0 - self.progress) / max(1, n_epochs_left)
            self.progress = 1.0 if n_epochs_left <= 1 else self.progress + step

    @abstractmethod
    def gates(self) -> Tensor:
        """Return the mixing weights of the candidates that compete.

        Returns
        -------
        Tensor of shape (n_candidates,)
            Non-negative weights.
        """

    @abstractmethod
    def gates_at(self, progress: float) -> Tensor:
        """Return the mixing weights as they would be, without noise, at some progress.

        Parameters
        ----------
        progress : float
            Share of the node's time that is over; at 0 no gate is hardened yet.

        Returns
        -------
        Tensor of shape (n_candidates,)
            Non-negative weights, in the order of `gates`.
        """

    @abstractmethod
    def candidate_sizes(self) -> Tensor:
        """Return the number of weights that each candidate makes the node hold.

        Returns
        -------
        Tensor of shape (n_candidates,)
            Sizes, in the order of `gates`; weights that candidates share count for each of them.
        """

    @property
    @abstractmethod
    def n_candidate_params(self) -> int:
        """Number of weights that the node holds for its candidates."""

    @property
    @abstractmethod
    def n_held_params(self) -> int:
        """That number with what candidates that project alike share counted for each of them."""

    @abstractmethod
    def open_sources(self, slot: int) -> list[str]:
        """Return the sources open to an operand.

        Parameters
        ----------
        slot : int
            0 for the left operand, 1 for the right one.

        Returns
        -------
        list of str
            Their names.
        """

    @abstractmethod
    def arch_parameters(self) -> list[nn.Parameter]:
        """Return the architecture parameters, whether they still decide something or not."""

    @abstractmethod
    def free_arch_parameters(self) -> list[nn.Parameter]:
        """Return the architecture parameters that still decide something."""

    @abstractmethod
    def free_arch_units(self) -> list[float]:
        """Return, for each of them, the difference that means what one does at the start."""

    @abstractmethod
    def plan(self) -> Plan:
        """Compute what stays the same over the time steps.

        Returns
        -------
        Plan
            What gives the node's value at each of them.
        """
