"""What an edit of a supernet is, and the record of parameters it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from sknas.edits.evidence import Evidence
from sknas.supernet import MixedNode, NodePlace, Supernet

__all__ = ["Edit", "ParameterChange", "Replacement"]


@dataclass(frozen=True)
class Replacement:
    """One parameter that took another's place, and where the old entries went.

    Parameters
    ----------
    old, new : nn.Parameter
        Before and after.
    kept : tuple of Tensor or None
        For each axis the indices of `old` that survive, or None for all. In `new` they come first,
        in that order; what is behind them is newborn.
    factor : Tensor or None, default=None
        What the surviving entries were multiplied by on the way; it applies to values (averages),
        not to the optimizer's moments.
    """

    old: nn.Parameter
    new: nn.Parameter
    kept: tuple[Tensor | None, ...]
    factor: Tensor | None = None

    def carry(self, old_values: Tensor, newborn_values: Tensor) -> Tensor:
        """Map a tensor that belongs to `old` (a moment, an average) to one that belongs to `new`.

        Parameters
        ----------
        old_values : Tensor, shaped like `old`
            What to carry over.
        newborn_values : Tensor, shaped like `new`
            Values of the newborn entries; the others are overwritten, in a copy.

        Returns
        -------
        Tensor, shaped like `new`
            The carried values.
        """
        for axis, index in enumerate(self.kept):
            if index is not None:
                old_values = old_values.index_select(axis, index)
        result = newborn_values.detach().clone()
        result[tuple(slice(0, size) for size in old_values.shape)] = old_values
        return result


@dataclass
class ParameterChange:
    """What an edit did to the parameters of a supernet.

    Attributes
    ----------
    added, removed : list of nn.Parameter
        Parameters that came and went.
    replaced : list of Replacement
        Parameters that changed their shape.
    """

    added: list[nn.Parameter] = field(default_factory=list)
    removed: list[nn.Parameter] = field(default_factory=list)
    replaced: list[Replacement] = field(default_factory=list)

    def add(self, parameters: Iterable[nn.Parameter]) -> None:
        """Note newborn parameters.

        Parameters
        ----------
        parameters : iterable of nn.Parameter
            The newborn.
        """
        self.added.extend(parameters)

    def remove(self, parameters: Iterable[nn.Parameter]) -> None:
        """Note parameters that are gone.

        Parameters
        ----------
        parameters : iterable of nn.Parameter
            The gone.
        """
        self.removed.extend(parameters)

    def extend(self, old: nn.Parameter, newborn: Tensor) -> nn.Parameter:
        """Return a parameter shaped like `newborn` that starts with all entries of `old`.

        Parameters
        ----------
        old : nn.Parameter
            The parameter to grow.
        newborn : Tensor
            The grown shape, with the newborn entries' values.

        Returns
        -------
        nn.Parameter
            The grown parameter; the caller puts it in the old one's place.
        """
        new = nn.Parameter(newborn.detach().clone(), requires_grad=old.requires_grad)
        replacement = Replacement(old, new, (None,) * old.dim())
        with torch.no_grad():
            new.copy_(replacement.carry(old.detach(), newborn))
        self.replaced.append(replacement)
        return new

    def select(self, old: nn.Parameter, kept: Tensor) -> nn.Parameter:
        """Return a parameter that holds the kept entries of the last axis.

        Parameters
        ----------
        old : nn.Parameter
            The parameter to cut.
        kept : Tensor of int64
            Indices along the last axis.

        Returns
        -------
        nn.Parameter
            The cut parameter; the caller puts it in the old one's place.
        """
        return self.cut(old, (*(None,) * (old.dim() - 1), kept))

    def cut(self, old: nn.Parameter, kept: tuple[Tensor | None, ...]) -> nn.Parameter:
        """Return a parameter that holds the kept entries of every axis.

        Parameters
        ----------
        old : nn.Parameter
            The parameter to cut.
        kept : tuple of (Tensor of int64 or None)
            Indices along each axis; None keeps all.

        Returns
        -------
        nn.Parameter
            The cut parameter; the caller puts it in the old one's place.
        """
        values = old.detach()
        for axis, index in enumerate(kept):
            values = values if index is None else values.index_select(axis, index)
        new = nn.Parameter(values.clone(), requires_grad=old.requires_grad)
        self.replaced.append(Replacement(old, new, kept))
        return new

    @torch.no_grad()
    def rescale(self, old: nn.Parameter, factor: Tensor) -> None:
        """Multiply the surviving entries of the vector that took a vector's place.

        Parameters
        ----------
        old : nn.Parameter of shape (n,)
            The parameter that was replaced.
        factor : Tensor of shape (n_kept,)
            Factors of the surviving entries.
        """
        place = next(i for i, r in enumerate(self.replaced) if r.old is old)
        self.replaced[place] = replace(self.replaced[place], factor=factor)
        self.replaced[place].new[: len(factor)] *= factor


class Edit(ABC):
    """A change of a supernet, as data.

    Attributes
    ----------
    preserves_function : bool
        Whether the output is promised to be what it was, at the moment of the edit.
    """

    preserves_function: ClassVar[bool]

    @abstractmethod
    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Change the supernet in place.

        Parameters
        ----------
        supernet : Supernet
            What to change.
        generator : torch.Generator or None, default=None
            Source of newborn weights; None means one seeded with 0.

        Returns
        -------
        ParameterChange
            The parameters that came, went and changed their shape.
        """

    def informed_by(self, evidence: Evidence) -> Edit:
        """Return the same edit with samples that it may look at; most look at none.

        Parameters
        ----------
        evidence : Evidence
            Training samples.

        Returns
        -------
        Edit
            The edit to apply.
        """
        del evidence
        return self

    def is_version_of(self, other: Edit) -> bool:
        """Say whether whoever allows or refuses the other edit has said so of this one.

        Parameters
        ----------
        other : Edit
            The other edit.

        Returns
        -------
        bool
            Whether they are the same move.
        """
        return self == other


def default_generator(generator: Generator | None) -> Generator:
    """Return the generator, or one seeded with 0.

    Parameters
    ----------
    generator : torch.Generator or None
        What the caller has.

    Returns
    -------
    torch.Generator
        A generator.
    """
    return torch.Generator().manual_seed(0) if generator is None else generator


def two_input_node(supernet: Supernet, place: NodePlace) -> MixedNode:
    """Return the two-input node at a place.

    Parameters
    ----------
    supernet : Supernet
        The network.
    place : NodePlace
        The node's place.

    Returns
    -------
    MixedNode
        The node.

    Raises
    ------
    ValueError
        If the node is one of a DAG, with edges still undecided.
    """
    node = supernet.node(place)
    if not isinstance(node, MixedNode):
        raise ValueError(f"place must be a two-input node; got {node.name}, a node of a DAG.")
    return node
