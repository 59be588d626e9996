"""Frames in, frames out: the future of one table of series, or of a panel, from its past."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import pandas as pd

from sknas._validation import Interval, StrOptions
from sknas.estimators._settings import half_time
from sknas.estimators.all_or_nothing import all_or_nothing
from sknas.estimators.parameters import CONSTRAINTS, document
from sknas.forecasting._backtested import BacktestedForecaster
from sknas.forecasting._calibrating import calibrate
from sknas.forecasting._frames import Frame, read_panel
from sknas.forecasting._going_on import GoingOnForecaster
from sknas.forecasting._inference import Frequency
from sknas.forecasting._known_reader import KnownReader
from sknas.forecasting._naive import NaiveErrors
from sknas.forecasting._predicting import PredictingForecaster
from sknas.forecasting._seen import SeenRows
from sknas.genotype import Genotype
from sknas.search import ArchRegularizer, ArchSchedule, CollapseWatch, GrowthRule, PruningRule
from sknas.supernet import AuxiliarySkip, EdgeChoice, Relaxation

__all__ = ["GrowingDARTSForecaster"]

_OWN = """\
    lookback : int or "auto", default="auto"
        Rows that a forecast reads. ``"auto"`` takes, of some whole seasons of the index's frequency
        (or 8 to 128 rows), the one whose linear model validates best within `max_params`.
    horizon : int, default=1
        Steps that the network forecasts at once. `predict` goes on from its own forecasts for
        more.
    freq : str, offset, int or None, default=None
        Frequency of the index; None tells it from the index.
    missing : {"error", "mask"}, default="error"
        Whether missing values, and rows missing between others, are refused; or left out of
        normalisation and loss, and read as the newest value known before them.
    calendar_features : None, "auto" or sequence of str, default=None
        What the index says of each step, read as covariates known in advance, such as ``"hour"``,
        ``"day_of_week"`` or ``"month"``; ``"auto"`` takes those that vary within a year.
    channel_mode : {"auto", "independent", "mixed"}, default="auto"
        Whether every target reads its own past (and the covariates), with weights shared, or all
        columns. ``"auto"`` lets the validation loss of the linear seed decide, and tries what was
        found for single columns on all of them as well, see `GrowingDARTSRegressor`.
    window_norm : {"auto", "none", "last", "level", "revin"}, default="auto"
        Normalisation of each window, undone on the forecast. With ``"level"`` branches read what
        they do with ``"last"``, and the linear seed the last values as well. ``"auto"`` is
        ``"level"`` where a linear seed of all channels validates better by one percent with it, and
        levels of several channels tell more than each channel's own, else ``"last"``, as with
        ``channel_mode="independent"`` and ``linear_seed=False``;
        ``"none"`` where the lookback is a single row.
    validation_fraction : float, default=0.2
        Share of the windows that validation decides on: the last ones in time.
"""


@document(_OWN)
class GrowingDARTSForecaster(PredictingForecaster, GoingOnForecaster, BacktestedForecaster):
    """Forecaster that searches its own architecture, growing it from a linear model.

    One network forecasts all columns, and all series of a panel, `horizon` steps at once. Each
    series is standardised by itself.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s
    lookback_ : int
        Rows that a forecast reads.
    calibration_ : Calibration
        What intervals are made of: errors on the validation part and on later rows, each over how
        much its series moved before.

    See Also
    --------
    GrowingDARTSRegressor : The same search on arrays.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sknas import GrowingDARTSForecaster
    >>> index = pd.date_range("2024-01-01", periods=120, freq="D")
    >>> Y = pd.DataFrame({"a": np.arange(120.0), "b": 5.0}, index=index)
    >>> model = GrowingDARTSForecaster(lookback=7, horizon=3, max_nodes=0).fit(Y)
    >>> print(model.predict().round(3))
                    a    b
    2024-04-30  120.0  5.0
    2024-05-01  121.0  5.0
    2024-05-02  122.0  5.0
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        **CONSTRAINTS,
        "lookback": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "freq": [None, str, pd.DateOffset, Integral],
        "missing": [StrOptions({"error", "mask"})],
        "calendar_features": [None, StrOptions({"auto"}), list, tuple],
        "validation": [StrOptions({"auto", "chronological"})],
    }

    def __init__(
        self,
        *,
        lookback: int | str = "auto",
        horizon: int = 1,
        freq: Frequency = None,
        missing: str = "error",
        calendar_features: str | Sequence[str] | None = None,
        backbone: str = "two_input",
        operations: str | Sequence[str] = "default",
        initial_genotype: str | Genotype = "auto",
        initial_nodes: int = 1,
        max_nodes: int = 12,
        hidden_size: int | str = "auto",
        n_layers: int = 1,
        genotype: str | Genotype | None = None,
        segment_length: int | str = "auto",
        channel_mode: str = "auto",
        window_norm: str = "auto",
        channel_gains: bool = True,
        linear_seed: bool = True,
        mode: str = "interleaved",
        growth: str | GrowthRule = "plateau",
        pruning: str | PruningRule = "effect",
        relaxation: str | Relaxation = "auto",
        edge_choice: str | EdgeChoice = "annealed",
        arch_schedule: str | ArchSchedule[Any] = "alternate",
        arch_fraction: float | str = "auto",
        arch_order: int = 1,
        arch_regularizer: str | ArchRegularizer | None = None,
        auxiliary_skip: str | AuxiliarySkip | None = None,
        collapse_watch: str | CollapseWatch | None = None,
        arch_learning_rate: float = 0.01,
        size_penalty: float = 0.0,
        max_params: int | None = None,
        search_epochs: int | str = "auto",
        max_epochs: int | str = "auto",
        time_budget: float | None = None,
        batch_size: int | str = "auto",
        learning_rate: float = 0.002,
        loss: str = "mse",
        quantile_levels: Sequence[float] = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975),
        weight_decay: float | str = "auto",
        dropout: float | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        validation: str = "auto",
        refit: str = "auto",
        refit_full: bool = False,
        n_models: int | str = "auto",
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 0,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.lookback = lookback
        self.horizon = horizon
        self.freq = freq
        self.missing = missing
        self.calendar_features = calendar_features
        self.backbone = backbone
        self.operations = operations
        self.initial_genotype = initial_genotype
        self.initial_nodes = initial_nodes
        self.max_nodes = max_nodes
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.genotype = genotype
        self.segment_length = segment_length
        self.channel_mode = channel_mode
        self.window_norm = window_norm
        self.channel_gains = channel_gains
        self.linear_seed = linear_seed
        self.mode = mode
        self.growth = growth
        self.pruning = pruning
        self.relaxation = relaxation
        self.edge_choice = edge_choice
        self.arch_schedule = arch_schedule
        self.arch_fraction = arch_fraction
        self.arch_order = arch_order
        self.arch_regularizer = arch_regularizer
        self.auxiliary_skip = auxiliary_skip
        self.collapse_watch = collapse_watch
        self.arch_learning_rate = arch_learning_rate
        self.size_penalty = size_penalty
        self.max_params = max_params
        self.search_epochs = search_epochs
        self.max_epochs = max_epochs
        self.time_budget = time_budget
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.loss = loss
        self.quantile_levels = quantile_levels
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation = validation
        self.refit = refit
        self.refit_full = refit_full
        self.n_models = n_models
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint_dir = checkpoint_dir

    @all_or_nothing("fit")
    def fit(self, Y: Frame, X: Frame | None = None, *, static: pd.DataFrame | None = None) -> Self:
        """Search an architecture on the past of all series, and train it.

        Parameters
        ----------
        Y : DataFrame, Series or array of shape (n_timepoints,) or (n_timepoints, n_targets)
            What to forecast: rows in time order under an index of dates, periods or integers, or,
            for a panel, under a MultiIndex (series, time). The frequency is told from the index.
        X : DataFrame or array, default=None
            Covariates known in advance, for every row of `Y`; for a panel by (series, time), or by
            time alone for all series.
        static : DataFrame, default=None
            Covariates of the series of a panel, a row each: numbers, or categories.

        Returns
        -------
        GrowingDARTSForecaster
            The fitted forecaster.

        Raises
        ------
        ValueError
            If a parameter or a row breaks its rule; the message names it.
        """
        start = self._start_clock()
        settings, seed = self._resolved(), self._draw_seed()
        panel = read_panel(Y, freq=self.freq, missing=self.missing)
        reader, known = KnownReader.at_fit(panel, X, static, self.calendar_features)
        prepared, problem = self._choose_lookback(
            panel, known, settings.arch_fraction, seed, half_time(settings, start)
        )
        # Before the search, so that callbacks in it get a forecaster that predicts.
        self.lookback_ = prepared.shape.lookback
        self._scales, self._reader = prepared.scales, reader
        naive, seen = NaiveErrors.of(panel), SeenRows().followed_by(panel)
        self._remember(panel, known, naive, seen, problem.shape.horizon)
        outcome = self._search(problem, settings, start)
        judged = self.module_ if outcome.judged is None else outcome.judged
        self.calibration_ = self._insist(calibrate, judged, prepared, problem, panel, known)
        return self
