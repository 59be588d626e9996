"""A forecast beside what came before: history, forecast, interval and truth of each series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.inspection._shown import (
    Values,
    as_frame,
    end_of,
    given_frame,
    newest_rows,
    rows_before,
    rows_by_series,
    shown_targets,
    shown_truth,
)
from sknas.inspection.panels import (
    import_pyplot,
    make_panels,
    name_panel,
    plain_times,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ForecastDisplay"]

_MEASURED = "#3f4754"
_FORECAST = "#1f6fb4"
_CUTOFF = "#b6bcc6"
_BAND_OPACITY = 0.22
_FEW, _MANY = 40, 600  # points that can be told apart, and that run into each other


class Forecaster(Protocol):
    """What a display asks of a forecaster: values whose index continues that of `history_`."""

    history_: Values

    @property
    def cutoff(self) -> Any:  # noqa: ANN401
        """The last known label; a number where values are arrays."""

    def predict(self, horizon: int | None = None, X: Any = None) -> Values:  # noqa: ANN401
        """Return forecasts, a column a target."""

    def predict_interval(
        self,
        horizon: int | None = None,
        X: Any = None,  # noqa: ANN401
        coverage: float = 0.9,
    ) -> pd.DataFrame:
        """Return bounds with the columns (target, coverage, "lower" or "upper")."""


class ForecastDisplay:
    """Draw history, forecast, interval and truth: one series large, many as small multiples.

    Make it with `from_forecaster`, which draws at once.

    Parameters
    ----------
    history : DataFrame of shape (n_timepoints, n_targets)
        Known rows up to the last before the forecast; indexed by time, or by (series, time).
    forecast : DataFrame of shape (n_steps, n_targets)
        What is forecast; its index continues that of `history`.
    lower : DataFrame of shape (n_steps, n_targets), default=None
        Lower bounds of an interval.
    upper : DataFrame of shape (n_steps, n_targets), default=None
        Upper bounds of it.
    coverage : float, default=None
        Probability of the interval, for the legend.
    truth : DataFrame, default=None
        What happened; rows outside the forecast's index are not shown.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure of the last plot.
    axes_ : ndarray of shape (n_panels,)
        Its panels, a matplotlib Axes each.

    Examples
    --------
    >>> series = pd.DataFrame({"sales": [3.0, 5.0, 4.0, 6.0]}, index=range(2001, 2005))
    >>> display = ForecastDisplay(series.loc[:2003], series.loc[2004:] - 1, truth=series)
    >>> display.plot().axes_.shape
    (1,)
    """

    figure_: Figure
    axes_: NDArray[Any]

    def __init__(
        self,
        history: pd.DataFrame,
        forecast: pd.DataFrame,
        *,
        lower: pd.DataFrame | None = None,
        upper: pd.DataFrame | None = None,
        coverage: float | None = None,
        truth: pd.DataFrame | None = None,
    ) -> None:
        self.history = history
        self.forecast = forecast
        self.lower = lower
        self.upper = upper
        self.coverage = coverage
        self.truth = truth

    @classmethod
    def from_forecaster(
        cls,
        forecaster: Forecaster,
        *,
        horizon: int | None = None,
        X: Any = None,  # noqa: ANN401
        coverage: float | None = 0.9,
        truth: Values | None = None,
        history: Values | None = None,
        n_history: int | None = None,
        targets: Any = None,  # noqa: ANN401
        max_panels: int = 12,
        ax: Axes | NDArray[Any] | None = None,
    ) -> ForecastDisplay:
        """Forecast and draw.

        Parameters
        ----------
        forecaster : forecaster
            Fitted, with `predict`, `predict_interval` and `history_`, its last known rows.
        horizon : int, default=None
            Steps to forecast; None leaves it to the forecaster.
        X : DataFrame, default=None
            Covariates of the steps to forecast, as the forecaster wants them.
        coverage : float, default=0.9
            Probability of the interval; None draws none.
        truth : DataFrame, Series or array, default=None
            What happened, with the targets as columns and rows of the forecast's index. A Series
            is of the only target, whatever its name. An array is for forecasts that are arrays; its
            first row is the first step.
        history : DataFrame, Series or array, default=None
            Rows to show before the forecast, such as those of the fit; later ones are left out.
            The last row of an array is the last known one. None shows those that the forecaster
            keeps, which are no more than it reads.
        n_history : int, default=None
            Rows of history to show of each series, at most; None shows four times the steps that
            are forecast, and at least 48.
        targets : column name or sequence of them, default=None
            The targets to show, in this order; None shows all. Of a Series it is its name, or
            "y"; of an array of two dimensions they are the numbers of its columns.
        max_panels : int, default=12
            Most panels to draw, of the first series and targets.
        ax : matplotlib Axes or array of them, default=None
            Where to draw; see `plot`.

        Returns
        -------
        ForecastDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `targets` names no target, `truth` has no row or target of the forecast, `history` no
            row before it or not its targets, `coverage` is not one probability, or a number is out
            of its range.
        """
        import_pyplot()  # before a forecast that may take long
        if n_history is not None and n_history < 0:
            raise ValueError(f"n_history must be at least 0 rows or None; got {n_history!r}.")
        _check_coverage(coverage)
        values = forecaster.predict(horizon=horizon, X=X)
        is_array = not isinstance(values, (pd.DataFrame, pd.Series))
        start = forecaster.cutoff + 1 if is_array else 0
        forecast = as_frame(values, start)
        shown = shown_targets(targets, forecast)
        lower = upper = None
        if coverage is not None:
            bounds = forecaster.predict_interval(horizon=horizon, X=X, coverage=coverage)
            lower, upper = (end_of(bounds, end, forecast)[shown] for end in ("lower", "upper"))
        if truth is not None:
            rows = given_frame(truth, forecast, "truth", is_array=is_array, is_before=False)
            truth = shown_truth(rows, forecast, shown)
        if history is None:
            past = as_frame(forecaster.history_, start - len(forecaster.history_))
        else:
            rows = given_frame(history, forecast, "history", is_array=is_array, is_before=True)
            past = rows_before(rows, forecast, shown)
        display = cls(
            newest_rows(past[shown], forecast, n_history),
            forecast[shown],
            lower=lower,
            upper=upper,
            coverage=coverage,
            truth=truth,
        )
        return display.plot(ax, max_panels=max_panels)

    def plot(
        self, ax: Axes | NDArray[Any] | None = None, *, max_panels: int = 12
    ) -> ForecastDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            One Axes, which is divided where there are several panels, or as many as there are
            panels. None makes a figure.
        max_panels : int, default=12
            Most panels to draw, of the first series and targets.

        Returns
        -------
        ForecastDisplay
            This display, with `figure_` and `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `max_panels` is below 1, or `ax` holds a number of axes that does not fit.
        """
        import_pyplot()
        if max_panels < 1:
            raise ValueError(f"max_panels must be at least 1; got {max_panels!r}.")
        panels = self._panels()
        drawn = panels[:max_panels]
        room = make_panels(len(drawn), ax)
        for axes, panel in zip(room.axes, drawn, strict=True):
            panel.draw(axes)
            name_panel(axes, panel.name, room.n_columns)
        room.set_time_axis(self.forecast.index.get_level_values(-1))
        is_cut = len(drawn) < len(panels)
        title = self._share_shown(len(drawn), len(panels)) if is_cut else None
        room.add_legend(self._legend_entries(), title)
        self.figure_, self.axes_ = room.axes[0].figure, room.axes
        return self

    def _panels(self) -> list[_Panel]:
        """Return what each panel shows: series by series, and target by target in each."""
        frames = (self.history, self.lower, self.upper, self.truth)
        by_series = [rows_by_series(frame) for frame in frames]
        n_targets = self.forecast.shape[1]
        panels = []
        for series, forecast in rows_by_series(self.forecast).items():
            for target in self.forecast.columns:
                names = series if series and n_targets == 1 else (*series, target)
                others = [rows[series][target] if series in rows else None for rows in by_series]
                name = ", ".join(str(name) for name in names)
                panels.append(_Panel(name, forecast[target], *others))
        return panels

    def _share_shown(self, n_drawn: int, n_panels: int) -> str:
        """Say how many of how many are shown, and of what."""
        if self.forecast.index.nlevels == 1:
            what = "targets"
        else:
            what = "series" if self.forecast.shape[1] == 1 else "pairs of series and target"
        return f"The first {n_drawn} of {n_panels} {what}"

    def _legend_entries(self) -> list[Artist]:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        entries: list[Artist] = [Line2D([], [], color=_FORECAST, linewidth=1.8, label="forecast")]
        if len(self.history) or self.truth is not None:
            known = "history" if self.truth is None else "measured"
            entries.insert(0, Line2D([], [], color=_MEASURED, linewidth=1.3, label=known))
        if self.lower is not None and self.upper is not None:
            share = "" if self.coverage is None else f"{100 * self.coverage:g} % "
            label = f"{share}interval"
            entries.append(Patch(color=_FORECAST, alpha=_BAND_OPACITY, linewidth=0, label=label))
        return entries


@dataclass(frozen=True, eq=False)
class _Panel:
    """One target of one series; each part a Series over times, or None."""

    name: str
    forecast: pd.Series
    history: pd.Series | None
    lower: pd.Series | None
    upper: pd.Series | None
    truth: pd.Series | None

    def draw(self, axes: Axes) -> None:
        """Draw lines and band; what is to come starts at the last known value."""
        past = self.forecast.iloc[:0] if self.history is None else self.history
        last = past.iloc[-1:]
        n_points = len(past) + len(self.forecast)
        width = 1.3 if n_points <= _MANY else 0.6
        is_dotted = n_points <= _FEW or len(self.forecast) == 1
        dots: dict[str, Any] = {"marker": "o", "markersize": 2.5} if is_dotted else {}
        for time in _points(last)[0]:  # one, or none
            axes.axvline(time, color=_CUTOFF, linewidth=0.9, zorder=0.9)
        axes.plot(*_points(past), color=_MEASURED, linewidth=width, **dots)
        if self.lower is not None and self.upper is not None:
            times, low = _points(self.lower, last)
            high = _points(self.upper, last)[1]
            band: dict[str, Any] = {"color": _FORECAST, "alpha": _BAND_OPACITY}
            axes.fill_between(times, low, high, linewidth=0, **band)
            if np.isfinite(low).sum() == 1:  # a step with nothing before it has no area
                axes.vlines(times, low, high, linewidth=5, **band)
        if self.truth is not None:
            axes.plot(*_points(self.truth, last), color=_MEASURED, linewidth=width, **dots)
        axes.plot(*_points(self.forecast, last), color=_FORECAST, linewidth=1.4 * width, **dots)
        axes.margins(x=0.01)


def _points(
    values: pd.Series, before: pd.Series | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places on both axes, those of `before` first."""
    parts = [values] if before is None else [before, values]
    times = np.concatenate([plain_times(part.index) for part in parts])
    return times, np.concatenate([part.to_numpy(dtype=np.float64) for part in parts])


def _check_coverage(coverage: object) -> None:
    """Raise unless there is one probability, or none."""
    if coverage is not None and not (
        isinstance(coverage, (float, np.floating)) and 0.0 < coverage < 1.0
    ):
        raise ValueError(f"coverage must be one number in (0, 1), or None; got {coverage!r}.")
