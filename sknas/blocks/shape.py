"""The shapes a network is built for, as data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NetworkShape"]


@dataclass(frozen=True)
class NetworkShape:
    """What goes into a network and what comes out.

    Parameters
    ----------
    n_channels : int
        Channels of the input (columns, for tabular rows).
    lookback : int
        Time steps of the input; 1 for tabular rows.
    n_targets : int
        Targets of the output (classes, for a classifier).
    horizon : int
        Steps of the output.
    target_channels : tuple of int or None
        The channel each target continues; None where targets are not channels of the input.
    has_padding : bool, default=False
        Whether leading steps of a window may be NaN in all channels, which means "not there".
    n_categories : int, default=0
        Rows of the table that category codes are looked up in; 0 where the input is numbers.
    embedding_size : int, default=0
        Columns of that table.
    n_covariates : int, default=0
        How many of the channels, the last ones, say what is known about the future: every target
        reads them, none continues them, and windows are not normalised by their level.
    has_missing : bool, default=False
        Whether single values of a window may be NaN.
    quantiles : tuple of float, default=()
        Levels of the outputs of a target and step, in ascending order; empty for a point.
    has_gains : bool, default=True
        Whether branches that several channels share have gains for each channel.
    """

    n_channels: int
    lookback: int
    n_targets: int
    horizon: int
    target_channels: tuple[int, ...] | None = None
    has_padding: bool = False
    n_categories: int = 0
    embedding_size: int = 0
    n_covariates: int = 0
    has_missing: bool = False
    quantiles: tuple[float, ...] = ()
    has_gains: bool = True

    @property
    def is_sequence(self) -> bool:
        """Whether there is more than one time step to read."""
        return self.lookback > 1

    @property
    def is_embedded(self) -> bool:
        """Whether the input is category codes, which a table turns into vectors."""
        return self.n_categories > 0

    @property
    def n_features(self) -> int:
        """Values a time step that the seed and the branches read."""
        return self.embedding_size if self.is_embedded else self.n_channels

    @property
    def n_quantiles(self) -> int:
        """Outputs a target and step."""
        return max(1, len(self.quantiles))

    @property
    def n_outputs(self) -> int:
        """Outputs a target: all steps of the first quantile, then those of the next."""
        return self.n_quantiles * self.horizon
