"""Reads what is known in advance: covariates, the calendar, and what is fixed for a series."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._calendar import Calendar
from sknas.forecasting._calendar_features import calendar_features
from sknas.forecasting._covariates import Covariates, read_covariates
from sknas.forecasting._forecasts import last_rows
from sknas.forecasting._frames import Frame
from sknas.forecasting._panel import Panel
from sknas.forecasting._static import StaticCovariates, read_static
from sknas.forecasting._wording import label_text
from sknas.windows import Scaler, fit_scaler

__all__ = ["KnownReader"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class KnownReader:
    """Reads covariates, the calendar and what is fixed for a series, as `fit` has met them.

    Parameters
    ----------
    covariates : Covariates or None
        Those of the fit, without their rows; None where it had none.
    features : None, "auto" or sequence of str
        Calendar features.
    static : StaticCovariates or None
        Those of the fit's series.
    keys : pd.Index or None
        Keys of these series.
    scaler : Scaler
        Units.
    """

    covariates: Covariates | None
    features: str | Sequence[str] | None
    static: StaticCovariates | None
    keys: pd.Index | None
    scaler: Scaler

    @classmethod
    def at_fit(
        cls,
        panel: Panel,
        X: Frame | None,
        static: pd.DataFrame | None,
        features: str | Sequence[str] | None,
    ) -> tuple[KnownReader, Array]:
        """Read what a fit was given.

        Parameters
        ----------
        panel : Panel
            Rows of the targets.
        X : DataFrame, array or None
            Covariates of these rows.
        static : DataFrame or None
            Covariates of the series.
        features : None, "auto" or sequence of str
            Calendar features.

        Returns
        -------
        reader : KnownReader
            For later calls.
        known : ndarray of shape (n_rows, n_covariates)
            Standardised covariates of each row of the panel.
        """
        if static is not None and panel.keys is None:
            raise ValueError("static needs a panel, whose series it tells of; got a single series.")
        covariates = None if X is None else read_covariates(X, panel, 0)
        fixed = None if static is None else read_static(static, panel.keys, name="static")
        empty = (
            None if covariates is None else replace(covariates, values=covariates.values[:0].copy())
        )
        unscaled = cls(empty, features, fixed, panel.keys, Scaler(np.zeros(0), np.ones(0)))
        moving = None if covariates is None else covariates.values
        raw = unscaled._joined(panel.calendar, panel.row_positions, panel.row_series, moving, fixed)
        scaler = fit_scaler(raw) if raw.shape[1] else unscaled.scaler
        return replace(unscaled, scaler=scaler), scaler.transform(raw)

    def around(
        self,
        context: Panel,
        known: Array | None,
        X: Frame | None,
        static: pd.DataFrame | None,
        lookback: int,
        n_steps: int,
        n_ahead: int,
        n_earlier: int = 0,
    ) -> Array:
        """Return the covariates of the last rows of a context, and of the steps ahead.

        Parameters
        ----------
        context : Panel
            At most `lookback` rows of each series.
        known : ndarray of shape (n_rows, n_covariates) or None
            Standardised covariates of these rows; None reads them from `X`.
        X : DataFrame, array or None
            Covariates of the steps ahead, and of the context where they are not known.
        static : DataFrame or None
            Covariates of series that the fit did not see.
        lookback : int
            Rows before the steps ahead.
        n_steps, n_ahead : int
            Steps to read covariates of, and rows to return.
        n_earlier : int, default=0
            Rows of `X` before those of the context, where it is an array.

        Returns
        -------
        ndarray of shape (n_series, lookback + n_ahead, n_covariates)
            Standardised; zero in front of a short series, and where `X` does not go on behind the
            steps asked for. The calendar, and what is fixed for a series, go on.
        """
        self._check_given(X)
        fixed = self._static_of(context, static)
        read = context if known is None else _emptied(context)
        found, n_read = self._read(X, read, n_steps, n_earlier), n_steps
        if found is not None and n_ahead > n_steps:
            with suppress(ValueError):  # what is behind the steps asked for need not be there
                found, n_read = self._read(X, read, n_ahead, n_earlier), n_ahead
        moving, told = None, None
        if found is not None:
            if context.calendar.kind == "none":
                _check_no_more(X, n_earlier + len(read.values), n_steps, n_ahead)
            is_ahead = _is_behind(read, n_read)
            moving = found.values[~is_ahead]
            told = found.values[is_ahead].reshape(context.n_series, n_read, -1)
        if known is None:
            known = self._standardised(context, moving, fixed)
        future = self._after(context, fixed, n_ahead, told)
        past = last_rows(known, context.starts, lookback, 0.0)
        return np.concatenate([past, future], axis=1)

    def beyond(self, panel: Panel, static: pd.DataFrame | None, n_rows: int) -> Array:
        """Return what is known of rows after a panel's last ones without being told.

        Parameters
        ----------
        panel : Panel
            Rows.
        static : DataFrame or None
            Covariates of series that the fit did not see.
        n_rows : int
            Rows after each series.

        Returns
        -------
        ndarray of shape (n_series, n_rows, n_covariates)
            Standardised: calendar features and what is fixed, and zero for covariates.
        """
        return self._after(panel, self._static_of(panel, static), n_rows, None)

    def _after(
        self, panel: Panel, fixed: StaticCovariates | None, n_rows: int, moving: Array | None
    ) -> Array:
        """Return standardised rows after each series; covariates behind the given ones are zero."""
        flat = None
        if self.covariates is not None:
            told = np.full((panel.n_series, n_rows, len(self.covariates.columns)), np.nan)
            if moving is not None:
                told[:, : moving.shape[1]] = moving
            flat = told.reshape(panel.n_series * n_rows, told.shape[2])
        positions = (panel.stop[:, None] + np.arange(n_rows)).ravel()
        series = np.repeat(np.arange(panel.n_series), n_rows)
        rows = self.scaler.transform(self._joined(panel.calendar, positions, series, flat, fixed))
        return np.nan_to_num(rows).reshape(panel.n_series, n_rows, rows.shape[1])

    def rows_after(
        self,
        panel: Panel,
        old: Panel,
        known: Array,
        X: Frame | None,
        static: pd.DataFrame | None,
        n_earlier: int = 0,
    ) -> Array:
        """Return the covariates of an old panel's rows and of those appended to it.

        Parameters
        ----------
        panel : Panel
            The old one with rows appended, and perhaps with new series behind its own.
        old : Panel
            The panel before.
        known : ndarray of shape (n_old_rows, n_covariates)
            Its standardised covariates.
        X : DataFrame, array or None
            Covariates of the new rows.
        static : DataFrame or None
            Covariates of new series.
        n_earlier : int, default=0
            Rows of `X` before those of the new rows, where it is an array.

        Returns
        -------
        ndarray of shape (n_rows, n_covariates)
            Standardised.
        """
        self._check_given(X)
        begin = panel.first.copy()
        begin[: old.n_series] = old.stop
        is_new = panel.row_positions >= begin[panel.row_series]
        n_new = np.bincount(panel.row_series[is_new], minlength=panel.n_series)
        new = replace(
            panel,
            values=panel.values[is_new],
            starts=np.concatenate([[0], np.cumsum(n_new)]),
            first=begin,
        )
        rows = np.empty((len(panel.values), known.shape[1]))
        rows[~is_new] = known
        rows[is_new] = self._rows(new, X, self._static_of(panel, static), n_earlier)
        return rows

    def rows_of(self, panel: Panel, X: Frame | None, static: pd.DataFrame | None) -> Array:
        """Return the covariates of a panel's rows.

        Parameters
        ----------
        panel : Panel
            Rows.
        X : DataFrame, array or None
            Their covariates.
        static : DataFrame or None
            Covariates of series that the fit did not see.

        Returns
        -------
        ndarray of shape (n_rows, n_covariates)
            Standardised.
        """
        self._check_given(X)
        return self._rows(panel, X, self._static_of(panel, static))

    def extended(self, panel: Panel, static: pd.DataFrame | None) -> KnownReader:
        """Return a reader that knows all series of a panel.

        Parameters
        ----------
        panel : Panel
            The series that were known, and perhaps new ones.
        static : DataFrame or None
            Covariates of new series.

        Returns
        -------
        KnownReader
            With what is fixed for them.
        """
        return replace(self, static=self._static_of(panel, static), keys=panel.keys)

    def _check_given(self, X: Frame | None) -> None:
        if X is None and self.covariates is not None:
            names = list(self.covariates.columns)
            raise ValueError(f"X must be given, since fit had covariates {names}; got None.")
        if X is not None and self.covariates is None:
            raise ValueError("X must be None, since fit had no covariates; got some.")

    def _read(
        self, X: Frame | None, panel: Panel, n_future: int, n_earlier: int = 0
    ) -> Covariates | None:
        if X is None:
            return None
        return read_covariates(X, panel, n_future, like=self.covariates, n_earlier=n_earlier)

    def _rows(
        self, panel: Panel, X: Frame | None, fixed: StaticCovariates | None, n_earlier: int = 0
    ) -> Array:
        found = self._read(X, panel, 0, n_earlier)
        return self._standardised(panel, None if found is None else found.values, fixed)

    def _standardised(
        self, panel: Panel, moving: Array | None, fixed: StaticCovariates | None
    ) -> Array:
        return self.scaler.transform(
            self._joined(panel.calendar, panel.row_positions, panel.row_series, moving, fixed)
        )

    def _static_of(self, panel: Panel, static: pd.DataFrame | None) -> StaticCovariates | None:
        """Return the static covariates of a panel's series: those given, else those of the fit."""
        if self.static is None or panel.keys is None or self.keys is None:
            if static is not None:
                raise ValueError("static must be None, since fit had none; got some.")
            return None
        found = self.keys.get_indexer(panel.keys)
        is_new = found < 0
        values = self.static.values[found]
        if static is None and is_new.any():
            raise ValueError(
                "static must be given for series that fit did not see; got none for "
                f"{label_text(panel.keys[is_new][0])}."
            )
        if static is not None:
            is_new |= _has_row(static, panel.keys)
            given = read_static(static, panel.keys[is_new], like=self.static, name="static")
            values[is_new] = given.values
        return replace(self.static, values=values)

    def _joined(
        self,
        calendar: Calendar,
        positions: Array,
        series: Array,
        moving: Array | None,
        fixed: StaticCovariates | None,
    ) -> Array:
        """Return rows of covariates, calendar features and static ones beside each other."""
        parts = [np.zeros((len(positions), 0))]
        if moving is not None:
            parts.append(moving)
        if self.features:
            parts.append(calendar_features(calendar, positions, self.features)[0])
        if fixed is not None:
            parts.append(fixed.values[series])
        return np.concatenate(parts, axis=1)


def _emptied(panel: Panel) -> Panel:
    """Return a panel of no rows that ends where another one does."""
    starts = np.zeros_like(panel.starts)
    return replace(panel, values=panel.values[:0], starts=starts, first=panel.stop)


def _is_behind(panel: Panel, n_future: int) -> NDArray[np.bool_]:
    """Tell which rows are behind a panel's, where each series has so many."""
    counts = np.stack([panel.lengths, np.full(panel.n_series, n_future)], axis=1)
    return np.tile([False, True], panel.n_series).repeat(counts.ravel())


def _check_no_more(X: Frame | None, n_known: int, n_steps: int, n_ahead: int) -> None:
    """Raise if an array, whose rows have no labels, goes on behind the steps ahead."""
    n_rows, least, most = len(np.asarray(X)), n_known + n_steps, n_known + n_ahead
    if n_rows > most:
        of_past = f"{n_known} rows of Y and of the " if n_known else ""
        whole = f", or up to {most}, to the end of the last block" if most > least else ""
        raise ValueError(
            f"X must have a row for each of the {of_past}{n_steps} steps ahead where it is an "
            f"array, {least} rows{whole}; got {n_rows} rows."
        )


def _has_row(static: pd.DataFrame, keys: pd.Index) -> Array:
    """Tell which series a frame has a row of; a frame that cannot be read shall have all."""
    is_odd = not isinstance(static, pd.DataFrame) or static.index.nlevels != keys.nlevels
    if is_odd or static.index.has_duplicates:
        return np.ones(len(keys), dtype=bool)
    return np.asarray(keys.isin(static.index))
