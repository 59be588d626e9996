"""Frames in, frames out: the future of one table of series, or of a panel, from its past."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sknas._validation import Interval, StrOptions
from sknas.estimators._settings import half_time
from sknas.estimators.parameters import CONSTRAINTS, document
from sknas.estimators.searched import all_or_nothing
from sknas.forecasting._appending import append, known_places, tail
from sknas.forecasting._calibrating import calibrate
from sknas.forecasting._fitted import FittedForecaster
from sknas.forecasting._forecasts import Values
from sknas.forecasting._frames import Frame, read_panel, write_panel
from sknas.forecasting._inference import Frequency
from sknas.forecasting._known_reader import KnownReader
from sknas.forecasting._naive import NaiveErrors
from sknas.forecasting._onnx import write_forecaster
from sknas.forecasting._probabilities import checked_probabilities
from sknas.forecasting._seen import SeenRows
from sknas.forecasting.backtesting import Backtest, run_backtest
from sknas.genotype import Genotype
from sknas.search import ArchRegularizer, ArchSchedule, CollapseWatch, GrowthRule, PruningRule
from sknas.supernet import AuxiliarySkip, EdgeChoice, Relaxation

__all__ = ["GrowingDARTSForecaster"]

_MIN_ERROR = 1e-7  # of the naive forecast, in standardised units: less is rounding

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
    window_norm : {"auto", "none", "last", "revin"}, default="auto"
        Normalisation of each window, undone on the forecast; ``"auto"`` is ``"last"``, and
        ``"none"`` where the lookback is a single row.
    validation_fraction : float, default=0.2
        Share of the windows that validation decides on: the last ones in time.
"""


@document(_OWN)
class GrowingDARTSForecaster(FittedForecaster):
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

    # -- fit ------------------------------------------------------------------------------------

    @all_or_nothing
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

    # -- what is known ----------------------------------------------------------------------------

    @property
    def history_(self) -> Values:
        """The last known rows, `lookback_` of each series, as `fit` was given them."""
        check_is_fitted(self)
        last = tail(self._panel, self.lookback_)
        return write_panel(last.values, last.row_keys, last.row_positions, last)

    @property
    def cutoff(self) -> object:
        """Label of the last known row; for a panel a Series with a label for each series."""
        check_is_fitted(self)
        labels = self._panel.calendar.labels(self._panel.stop - 1)
        return labels[0] if self._panel.keys is None else pd.Series(labels, self._panel.keys)

    # -- prediction -------------------------------------------------------------------------------

    def predict(
        self,
        horizon: int | None = None,
        X: Frame | None = None,
        *,
        Y: Frame | None = None,
        static: pd.DataFrame | None = None,
    ) -> Values:
        """Forecast what follows the last known rows.

        Parameters
        ----------
        horizon : int, default=None
            Steps; None is the horizon of the fit. Beyond that, forecasts go on from forecasts.
        X : DataFrame or array, default=None
            Covariates of the steps ahead, where `fit` had covariates; with `Y`, of its last rows
            too. An array must not have rows behind the last block of steps ahead.
        Y : DataFrame, Series or array, default=None
            Rows to forecast from in place of those last known: other times, or other series.
        static : DataFrame, default=None
            Covariates of series in `Y` that `fit` did not see.

        Returns
        -------
        DataFrame, Series or ndarray
            What `fit` got, its index continued.

        Raises
        ------
        ValueError
            If rows of `X` are missing, which the message lists, or a parameter breaks its rule.
        """
        forecasts = self._forecasts(horizon, X, Y, static)
        return forecasts.frame(forecasts.points)

    def predict_interval(
        self,
        horizon: int | None = None,
        X: Frame | None = None,
        *,
        coverage: float | Sequence[float] = 0.9,
        Y: Frame | None = None,
        static: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast intervals that hold the truth with given probabilities, step by step.

        They are split-conformal, made of the errors on the validation part; with
        ``loss="quantile"`` they are the network's own quantiles. Beyond the horizon of the fit
        these errors are those of forecasts that went on from forecasts, for two seasons or three
        horizons where the validation part is long enough; behind these steps, and with
        ``loss="quantile"``, errors of blocks are added as though they were independent.

        Parameters
        ----------
        horizon : int, default=None
            Steps, as in `predict`.
        X : DataFrame or array, default=None
            Covariates, as in `predict`.
        coverage : float or sequence of float, default=0.9
            Probabilities in (0, 1).
        Y : DataFrame, Series or array, default=None
            Rows to forecast from, as in `predict`.
        static : DataFrame, default=None
            Covariates of series, as in `predict`.

        Returns
        -------
        DataFrame
            Columns (target, coverage, ``"lower"`` or ``"upper"``); the target of a Series without
            a name is 0.

        Raises
        ------
        ValueError
            As `predict` does, or if a probability is none, or outside `quantile_levels`.
        """
        wanted = checked_probabilities(coverage, "coverage")
        forecasts = self._forecasts(horizon, X, Y, static)
        named = []
        for one in wanted:
            ends = self._levels_of(forecasts, [(1.0 - one) / 2, (1.0 + one) / 2], "coverage")
            named += [
                ((one, side), end) for side, end in zip(("lower", "upper"), ends, strict=True)
            ]
        return forecasts.table(named)

    def predict_quantiles(
        self,
        horizon: int | None = None,
        X: Frame | None = None,
        *,
        alpha: float | Sequence[float] = (0.1, 0.5, 0.9),
        Y: Frame | None = None,
        static: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast quantiles, step by step; they never cross.

        Parameters
        ----------
        horizon : int, default=None
            Steps, as in `predict`.
        X : DataFrame or array, default=None
            Covariates, as in `predict`.
        alpha : float or sequence of float, default=(0.1, 0.5, 0.9)
            Probabilities in (0, 1); with ``loss="quantile"`` within `quantile_levels`.
        Y : DataFrame, Series or array, default=None
            Rows to forecast from, as in `predict`.
        static : DataFrame, default=None
            Covariates of series, as in `predict`.

        Returns
        -------
        DataFrame
            Columns (target, alpha); the target of a Series without a name is 0.

        Raises
        ------
        ValueError
            As `predict` does, or if a probability is none, or outside `quantile_levels`.
        """
        alphas = checked_probabilities(alpha, "alpha")
        forecasts = self._forecasts(horizon, X, Y, static)
        levels = self._levels_of(forecasts, alphas, "alpha")
        return forecasts.table([((one,), level) for one, level in zip(alphas, levels, strict=True)])

    # -- export -----------------------------------------------------------------------------------

    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Write what forecasts as an ONNX file, for programs without Python or torch.

        The file holds the network and the units of the series, in double precision, for any number
        of forecasts at once. It takes ``Y``, the last `lookback_` rows (n, lookback, n_targets), in
        which NaN is missing, and, of a panel, ``series``, the number of each one's series, by its
        place in the metadata. It tells ``forecast`` (n, horizon, n_targets), and with
        ``loss="quantile"`` also ``quantiles``, one behind the other. It knows the units that the
        series have now, and no others.

        Parameters
        ----------
        path : str or path-like
            The file to write.

        Raises
        ------
        ValueError
            If the forecaster reads covariates, which a file cannot make of dates and frames.
        ImportError
            If onnx is not installed, which the extra ``export`` brings.
        """
        check_is_fitted(self)
        write_forecaster(path, type(self).__name__, self.module_, self._scales, self._panel)

    # -- going on ---------------------------------------------------------------------------------

    @all_or_nothing
    def update(
        self,
        Y_new: Frame,
        X: Frame | None = None,
        *,
        static: pd.DataFrame | None = None,
        refit: bool = False,
    ) -> Self:
        """Take in rows that follow the known ones.

        The next forecast begins behind them. Errors on them join those that intervals are made of.

        Parameters
        ----------
        Y_new : DataFrame, Series or array
            Rows of the kind that `fit` got; a panel may bring new series. They may repeat known
            ones: an array does where it begins with all of them, from the first row of the fit on.
        X : DataFrame or array, default=None
            Their covariates, where `fit` had covariates.
        static : DataFrame, default=None
            Covariates of new series.
        refit : bool, default=False
            Learn on from the new rows; the network may grow, as in
            `GrowingDARTSRegressor.partial_fit`.

        Returns
        -------
        GrowingDARTSForecaster
            The same forecaster.

        Raises
        ------
        ValueError
            If the rows do not follow the known ones, or are too few to learn from.
        """
        check_is_fitted(self)
        start = self._start_clock()
        if not isinstance(refit, (bool, np.bool_)):
            raise ValueError(f"refit must be a boolean; got {refit!r}.")
        given = read_panel(Y_new, name="Y_new", like=self._panel, missing=self.missing)
        new, n_again = self._seen.without(given)
        panel = append(self._panel, new, name="Y_new", missing=self.missing)
        known = self._reader.rows_after(panel, self._panel, self._known, X, static, n_again)
        scales = self._scales_of(panel)
        # Every window whose last row is new: its forecast has not been judged before.
        begin = panel.first.copy()
        begin[: self._panel.n_series] = self._panel.stop - self._shape.horizon + 1
        # Of these only the newest count.
        n_told = self.calibration_.window + self._shape.horizon
        told = np.maximum(begin, panel.stop - n_told)
        rolling = self._rolling(panel, known, static, scales, self._shape.horizon, begin=told)
        self.calibration_ = rolling.recalibrated(self.calibration_)
        settings, problem = self._resolved(), None
        if refit:
            _, problem = self._prepared(
                panel,
                known,
                self.lookback_,
                settings.arch_fraction,
                self._draw_seed(),
                self.module_.spec,
                scales=scales,
                begin=begin,
            )
        self._scales, self._reader = scales, self._reader.extended(panel, static)
        naive = self._naive.going_on(panel, self._panel)
        self._remember(panel, known, naive, self._seen.followed_by(new), self._shape.horizon)
        if problem is not None:  # callbacks may forecast meanwhile, and that from the new rows
            self._go_on(problem, settings, start)
        return self

    def score(
        self, Y: Frame, X: Frame | None = None, *, static: pd.DataFrame | None = None
    ) -> float:
        """Return how much better forecasts are than the last value: higher is better.

        Every window of `horizon` rows of `Y` is forecast from the rows before it. If `Y` directly
        follows the known rows, as rows of an array are taken to do, these come first; of an array
        that begins with all known rows, and goes on, those behind them are scored. Otherwise
        forecasts begin behind the first `lookback_` rows, or at the second row of a short series of
        a panel.

        Parameters
        ----------
        Y : DataFrame, Series or array
            Rows of the kind that `fit` got.
        X : DataFrame or array, default=None
            Their covariates.
        static : DataFrame, default=None
            Covariates of series in `Y` that `fit` did not see.

        Returns
        -------
        float
            One minus the mean absolute error over that of repeating the last value, averaged over
            targets: 1 is perfect, 0 as good as that naive forecast, below 0 worse.

        Raises
        ------
        ValueError
            If `Y` has no such window.
        """
        check_is_fitted(self)
        given = read_panel(Y, like=self._panel, missing=self.missing)
        panel, n_again = self._seen.without(given)
        if not len(panel.values):  # the known rows alone are scored by themselves
            panel, n_again = replace(given, first=np.zeros_like(given.first)), 0
        place = known_places(panel, self._panel)
        is_seen = place >= 0
        begin, before = panel.first, f"{self.lookback_} others, unless they follow the known ones,"
        n_rows = len(panel.values)
        if is_seen.any() and (panel.first[is_seen] == self._panel.stop[place[is_seen]]).all():
            before = "the known ones"
            panel = append(self._panel, panel, missing=self.missing)
            known = self._reader.rows_after(panel, self._panel, self._known, X, static, n_again)
            begin = np.concatenate([self._panel.stop, begin[~is_seen]])
        else:
            known = self._reader.rows_of(panel, X, static)
            if panel.keys is None:  # a part, with no history but its own, and no young series
                begin = begin + self.lookback_
        n_steps = self._shape.horizon
        scales = self._scales_of(panel, panel.first + self.lookback_)
        rolling = self._rolling(panel, known, static, scales, n_steps, begin=begin)
        skill = rolling.skill(_MIN_ERROR)
        if np.isnan(skill):
            raise ValueError(
                f"Y must hold horizon={n_steps} rows behind {before} to be scored, and numbers in "
                f"them; got {n_rows} rows."
            )
        return skill

    def backtest(
        self,
        Y: Frame,
        X: Frame | None = None,
        *,
        static: pd.DataFrame | None = None,
        initial: object = None,
        step: int = 1,
        horizon: int | None = None,
        refit: bool | int | str = False,
        coverage: float = 0.9,
    ) -> Backtest:
        """Forecast again and again as time goes on, and compare with what happened.

        A clone is fitted on the first rows; this forecaster stays as it is. Or, where it is fitted
        and `initial` is None, its present fit forecasts what follows its last known rows; `Y` may
        hold these, or go on from them. Rows of an array hold them if they begin with all of them,
        from the first row of the fit on; else they are taken to follow.

        Each forecast reads the rows before its origin and no later ones, and its interval the
        errors that were known by then. MASE is in units of the seasonal naive forecast's error on
        the rows that were known before the first origin, or of the last value's where no series has
        more of them than a season. RSE and CORR are measured within each series.

        Parameters
        ----------
        Y : DataFrame, Series or array
            All rows, or, after a fit, at least those that follow the known ones.
        X : DataFrame or array, default=None
            Covariates of the rows of `Y`.
        static : DataFrame, default=None
            Covariates of the series of a panel.
        initial : int or label, default=None
            Rows of the first fit, or the date or period of its last row; None is the present fit,
            or, where there is none, 70 % of the rows.
        step : int, default=1
            Rows between origins.
        horizon : int, default=None
            Steps of each forecast; None is the forecaster's.
        refit : bool, int or "weights", default=False
            Whether to fit anew, search and all, at every origin, or after as many origins as the
            number says; or to train the first fit's genotype anew at every origin.
        coverage : float, default=0.9
            Nominal coverage of the intervals.

        Returns
        -------
        Backtest
            Its `forecasts` are a tidy frame, its `scores` a table by step.

        Raises
        ------
        ValueError
            If a parameter breaks its rule, rows are missing behind the known ones, or no origin has
            `horizon` rows behind it.
        """
        self._start_clock()
        return run_backtest(
            self,
            Y,
            X,
            static,
            initial=initial,
            step=step,
            horizon=horizon,
            refit=refit,
            coverage=coverage,
        )
