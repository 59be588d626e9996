"""The forecaster as one of sktime's: the only module that imports sktime (extra ``sktime``)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import pandas as pd

from sknas.forecasting.forecaster import GrowingDARTSForecaster

try:
    from sktime.forecasting.base import BaseForecaster, ForecastingHorizon
except ImportError as error:
    raise ImportError(
        "sknas.forecasting.adapters needs sktime, which could not be imported; install it with "
        "pip install 'sknas[sktime]'."
    ) from error

__all__ = ["SktimeGrowingDARTSForecaster"]


class _Rows(NamedTuple):
    """Rows taken in but not learnt from, and the forecaster as it was before them."""

    before: GrowingDARTSForecaster
    y: pd.DataFrame
    X: pd.DataFrame | None


def _constructor(wrapped: type, **defaults: object) -> Callable[..., None]:
    """Return an `__init__` with the parameters of a class, and some other defaults."""
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = inspect.signature(wrapped).parameters.values()
    parameters = [one.replace(default=defaults.get(one.name, one.default)) for one in taken]
    signature = inspect.Signature([own, *parameters])

    def constructor(*args: object, **kwargs: object) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        self = bound.arguments.pop("self")
        for name, value in bound.arguments.items():
            setattr(self, name, value)
        BaseForecaster.__init__(self)

    constructor.__name__ = "__init__"
    constructor.__signature__ = signature  # type: ignore[attr-defined]
    return constructor


class SktimeGrowingDARTSForecaster(BaseForecaster):
    """`GrowingDARTSForecaster` with the interface of sktime's forecasters.

    One network forecasts all columns of `y`. For a panel or a hierarchy sktime fits a clone to each
    series; `GrowingDARTSForecaster` itself learns one network for all of them.

    Parameters
    ----------
    horizon : int, default=None
        Steps that the network forecasts at once. None is the furthest step of the `fh` that `fit`
        gets, and one step without `fh`. Beyond it, forecasts go on from forecasts.
    lookback, freq, missing, ..., verbose
        All other parameters are those of `GrowingDARTSForecaster`, under the same names and with
        the same defaults. With ``missing="mask"`` the tag ``"capability:missing_values"`` is set.

    Attributes
    ----------
    forecaster_ : GrowingDARTSForecaster
        The fitted forecaster, with its report, history and network.

    See Also
    --------
    GrowingDARTSForecaster : The same forecaster without sktime.

    Notes
    -----
    `X` must hold the covariates of every step from the cutoff to the furthest of `fh`, even where
    `fh` leaves steps out. In-sample forecasts are not made.

    `update` learns from all rows since it last learnt, which wait until there are at least
    ``horizon + 1`` of them; with ``update_params=False`` they wait longer. The next forecast begins
    behind them either way.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sknas.forecasting.adapters import SktimeGrowingDARTSForecaster
    >>> y = pd.Series(np.arange(60.0), pd.period_range("2020-01", periods=60, freq="M"))
    >>> model = SktimeGrowingDARTSForecaster(lookback=6, max_nodes=0).fit(y, fh=[1, 3])
    >>> print(model.predict().round(3))
    2025-01    60.0
    2025-03    62.0
    Freq: M, dtype: float64
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "sknas developers",
        "maintainers": "sknas developers",
        "python_dependencies": ["sknas"],
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "requires-fh-in-fit": False,
        "X-y-must-have-same-index": True,
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:non_contiguous_X": False,
        "capability:categorical_in_X": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": True,
        "capability:update": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }
    # The forecaster keeps the rows that it needs itself.
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}

    __init__ = _constructor(GrowingDARTSForecaster, horizon=None)

    def __post_init__(self) -> None:
        # Where sktime does not remember data it leaves these out, though its checks look for them.
        self._y, self._X = None, None
        self.set_tags(**{"capability:missing_values": self.missing == "mask"})

    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: ForecastingHorizon | None) -> Self:
        params = self.get_params(deep=False)
        if params["horizon"] is None:
            params["horizon"] = 1 if fh is None else int(self._places(fh).max()) + 1
        self._waiting: _Rows | None = None
        self.forecaster_ = GrowingDARTSForecaster(**params)
        self.forecaster_.fit(y, X)
        return self

    def _predict(self, fh: ForecastingHorizon, X: pd.DataFrame | None) -> pd.DataFrame:
        return self._chosen(fh, X, self.forecaster_.predict)

    def _predict_interval(
        self, fh: ForecastingHorizon, X: pd.DataFrame | None, coverage: list[float]
    ) -> pd.DataFrame:
        return self._chosen(fh, X, self.forecaster_.predict_interval, coverage=coverage)

    def _predict_quantiles(
        self, fh: ForecastingHorizon, X: pd.DataFrame | None, alpha: list[float]
    ) -> pd.DataFrame:
        return self._chosen(fh, X, self.forecaster_.predict_quantiles, alpha=alpha)

    def _update(
        self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params: bool = True
    ) -> Self:
        y = y[y.index > self.forecaster_.cutoff]
        if y.empty:
            return self
        before, waiting_y, waiting_X = self._waiting or (self.forecaster_, y[:0], None)
        y_all, X_all = pd.concat([waiting_y, y]), X
        if X is not None and waiting_X is not None:
            X_all = pd.concat([waiting_X, X[~X.index.isin(waiting_X.index)]])
        if update_params and y_all.notna().any(axis=1).sum() > before.horizon:
            self.forecaster_ = copy.copy(before).update(y_all, X_all, refit=True)
            self._waiting = None
        else:
            after = copy.copy(self.forecaster_).update(y, X)
            self.forecaster_, self._waiting = after, _Rows(before, y_all, X_all)
        return self

    def _chosen(
        self,
        fh: ForecastingHorizon,
        X: pd.DataFrame | None,
        forecast: Callable[..., pd.DataFrame],
        **wanted: list[float],
    ) -> pd.DataFrame:
        """Forecast up to the furthest step, and return those of `fh`."""
        if self.cutoff[0] != self.forecaster_.cutoff:
            raise ValueError(
                f"fh must begin after the last known row, {self.forecaster_.cutoff}; got one that "
                f"counts from the cutoff {self.cutoff[0]}."
            )
        places = self._places(fh)
        return forecast(int(places.max()) + 1, X, **wanted).iloc[places]

    def _places(self, fh: ForecastingHorizon) -> pd.Index:
        """Return the steps of a horizon, counted from 0 right after the cutoff."""
        return fh.to_indexer(self.cutoff)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return parameters of small and fast forecasters, for tests.

        Parameters
        ----------
        parameter_set : str, default="default"
            Name of a set; there is one.

        Returns
        -------
        list of dict
            One without a search, and one with a short search that masks missing values.
        """
        del parameter_set
        return [
            {"lookback": 3, "genotype": "linear"},
            {
                "lookback": 4,
                "missing": "mask",
                "max_nodes": 1,
                "hidden_size": 4,
                "search_epochs": 1,
                "max_epochs": 1,
            },
        ]
