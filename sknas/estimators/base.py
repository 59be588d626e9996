"""The shell that the estimators share: check input, call down, keep what was learned."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import nn

from sknas.blocks import NetworkShape, Objective
from sknas.estimators._checks import (
    check_codes,
    check_distance,
    check_numbers,
    check_size,
    is_three_deep,
)
from sknas.estimators._layout import Layout, TrailingRows
from sknas.estimators._onnx import Surroundings, reader_of, write_estimator
from sknas.estimators._preparation import Prepared, Samples, Scales, prepare
from sknas.estimators._settings import Settings
from sknas.estimators._suspicion import warn_of_holes
from sknas.estimators.searched import SearchedNetwork
from sknas.training import prediction_runtime, torch_runtime

__all__ = ["BaseGrowingDARTS"]

Array = NDArray[Any]


class BaseGrowingDARTS(SearchedNetwork):
    """Shared machinery of the regressor and the classifier."""

    n_features_in_: int
    feature_names_in_: NDArray[Any]
    _split_seed: int

    # -- fit ----------------------------------------------------------------------------------

    def _fit(self, given: Any, samples: Samples, objective: Objective, *, start: float) -> Self:
        """Search, derive and train on checked samples; `given` is X as the user passed it."""
        warn_of_holes(given, samples.layout, stacklevel=4)
        settings, seed = self._resolved(), self._draw_seed()
        split_seed = seed
        window_norm = self._window_norm(samples)
        spec = self.module_.spec if self.warm_start and hasattr(self, "module_") else None
        if spec is not None:
            samples = self._as_before(samples)
            window_norm = spec.window_norm
            settings = dataclasses.replace(
                settings, channel_mode=spec.channel_mode, window_norm=window_norm
            )
            split_seed = self._split_seed
        mode = "independent" if settings.channel_mode == "auto" else settings.channel_mode
        prepared = self._prepare(samples, objective, window_norm, mode, settings, seed, split_seed)
        previous = None if spec is None else self._network_for(prepared.problem)
        trailing = None
        if samples.layout.kind == "rows":
            trailing = TrailingRows.of(given, prepared.rows, samples.layout.lookback)
        # Before the search, so that callbacks in it get an estimator that predicts.
        self._layout = samples.layout
        self._x_scaler = prepared.x_scaler
        self._y_scaler = prepared.y_scaler
        self._trailing = trailing
        self._search(prepared.problem, settings, start, previous)
        # A later warm start is not to be judged on rows that this fit has trained on.
        self._split_seed = split_seed
        return self

    def _prepare(
        self,
        samples: Samples,
        objective: Objective,
        window_norm: str,
        channel_mode: str,
        settings: Settings,
        seed: int,
        split_seed: int,
    ) -> Prepared:
        with torch_runtime():
            return prepare(
                samples,
                objective=objective,
                window_norm=window_norm,
                channel_mode=channel_mode,
                validation=self.validation,
                validation_fraction=self.validation_fraction,
                arch_fraction=settings.arch_fraction,
                batch_size=self.batch_size,
                seed=seed,
                split_seed=split_seed,
                device=self.device,
            )

    # -- what a later call starts from ---------------------------------------------------------

    def _as_before(self, samples: Samples) -> Samples:
        """Return samples in the units of the present network, whose shape they must have."""
        shape: NetworkShape = self.module_.spec.shape
        layout = dataclasses.replace(
            samples.layout, has_padding=samples.layout.has_padding or shape.has_padding
        )
        samples = dataclasses.replace(samples, layout=layout, scales=self._scales)
        if dataclasses.replace(samples.shape, has_gains=shape.has_gains) != shape:
            raise ValueError(
                f"warm_start needs data of the shape of the previous fit, {shape}; "
                f"got {samples.shape}."
            )
        return samples

    # -- partial_fit --------------------------------------------------------------------------

    @property
    def _scales(self) -> Scales:
        return Scales(self._x_scaler, self._y_scaler)

    def _context(self, given: Any) -> Array | None:
        """Return the rows that directly precede a frame, if they were trained on last."""
        return None if self._trailing is None else self._trailing.before(given)

    def _partial_fit(
        self, given: Any, samples: Samples, objective: Objective, *, start: float
    ) -> Self:
        """Go on from the present network with checked samples in its own units."""
        warn_of_holes(given, samples.layout, stacklevel=5)
        if len(samples.X) < 2:
            raise ValueError(
                "partial_fit needs at least 2 samples, to hold some out; "
                f"got n_samples={len(samples.X)} (1 sample)."
            )
        settings, seed = self._resolved(), self._draw_seed()
        spec = self.module_.spec
        prepared = self._prepare(
            samples,
            objective,
            spec.window_norm,
            spec.channel_mode,
            settings,
            seed,
            self._split_seed,
        )
        if self._layout.kind == "rows":
            lookback = self._layout.lookback
            self._trailing = (
                TrailingRows.of(given, prepared.rows, lookback)
                if self._trailing is None
                else self._trailing.moved_on(given, prepared.rows, lookback)
            )
        self._go_on(prepared.problem, settings, start)
        return self

    def _window_norm(self, samples: Samples) -> str:
        if samples.embedding_size and self.window_norm not in ("auto", "none"):
            raise ValueError(
                "window_norm must be 'auto' or 'none' with embedding_size, since codes have no "
                f"level; got {self.window_norm!r}."
            )
        if self.window_norm != "auto":
            norm: str = self.window_norm
            return norm
        # A window of one row less its last value is nothing.
        is_read_whole = samples.target_channels is None or samples.layout.lookback == 1
        return "none" if is_read_whole else "last"

    # -- input --------------------------------------------------------------------------------

    def _check_input(self, X: ArrayLike, *, reset: bool) -> Array:
        """Return X as a float array: 2-D, or (n_samples, n_steps, n_channels)."""
        check_numbers(X, "X")
        checked = self._check_shape(X, reset=reset)
        check_size(checked, "X")
        if not reset and self.module_.spec.shape.is_embedded:
            check_codes(checked)
        return checked

    def _check_shape(self, X: ArrayLike, *, reset: bool) -> Array:
        if not is_three_deep(X):
            checked: Array = validate_data(self, X, dtype=(np.float64, np.float32), reset=reset)
            if not reset and self._layout.kind == "sequences":
                raise ValueError(
                    "X must be 3-D (n_samples, n_steps, n_channels), as in fit; "
                    f"got shape {checked.shape}."
                )
            return checked
        if not reset and self._layout.kind != "sequences":
            raise ValueError(
                f"X must be 2-D with {self.n_features_in_} columns, as in fit; got a 3-D X. "
                f"Found array with dim 3, while dim <= 2 is required by {type(self).__name__}."
            )
        checked = check_array(
            X,
            dtype=(np.float64, np.float32),
            allow_nd=True,
            ensure_all_finite="allow-nan",
            estimator=self,
            input_name="X",
        )
        if self.channels_first:
            checked = checked.swapaxes(1, 2)  # (n_samples, n_steps, n_channels)
        if reset:
            self.n_features_in_ = checked.shape[2]
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_  # of a frame that an earlier fit got
        elif checked.shape[2] != self.n_features_in_:
            raise ValueError(
                f"X has {checked.shape[2]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input (channels of 3-D X)."
            )
        return checked

    def _make_layout(self, X: Array) -> Layout:
        """Decide the kind of input by shape and by `lookback`, and check its length."""
        if X.ndim == 3:
            if self.lookback is not None and self.lookback != X.shape[1]:
                raise ValueError(
                    f"lookback must be None or the {X.shape[1]} steps of a 3-D X; "
                    f"got {self.lookback!r}."
                )
            has_padding = bool(np.isnan(X).any())
            layout = Layout("sequences", X.shape[2], X.shape[1], has_padding=has_padding)
            layout.past(X)  # checks that NaN stand at the end only
        elif self.lookback is None:
            layout = Layout("tabular", X.shape[1], 1)
        else:
            if len(X) <= self.lookback:
                raise ValueError(
                    f"fit needs more rows than lookback={self.lookback}; got {len(X)} rows."
                )
            layout = Layout("rows", X.shape[1], self.lookback)
        if self.embedding_size is not None:
            if layout.kind == "tabular":
                raise ValueError(
                    "embedding_size needs sequences of codes: a 3-D X, or a 2-D X of rows in time "
                    f"order with lookback; got a 2-D X of shape {X.shape} with lookback=None."
                )
            check_codes(X)
        if len(X) < 2:
            raise ValueError(
                f"fit needs at least 2 samples, to hold some out; got n_samples={len(X)} "
                "(1 sample)."
            )
        return layout

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # -- prediction ---------------------------------------------------------------------------

    def _outputs(
        self, X: ArrayLike, reduce: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> NDArray[Any]:
        """Return the network's raw outputs (n_samples, n_targets, horizon).

        Or, where that would be much, what `reduce` keeps of each batch of them.
        """
        if not hasattr(self, "module_"):
            check_is_fitted(self)  # which asks for tags first, and a row is predicted in no time
        checked = self._check_input(X, reset=False)
        warn_of_holes(X, self._layout, stacklevel=3)
        with np.errstate(over="ignore"):
            rows = self._x_scaler.transform(checked)
        check_distance(rows, "X")
        past = self._layout.past(rows, self._context(X))
        with prediction_runtime():
            return self._frozen.outputs(past, reduce)

    # -- export -------------------------------------------------------------------------------

    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Write what predicts as an ONNX file, for programs without Python or torch.

        The file holds the network, the scales of its input and those of its targets, in double
        precision, for any number of samples at once. Its input ``X`` is what `predict` takes: rows
        of a table, or sequences of as many steps as in `fit`; with `lookback`, the window
        (n_samples, lookback, n_channels) of each row. Sequences may end in all-NaN steps, and no
        other value may be missing, which a file does not check. A regressor tells ``prediction``,
        in the shape of y, and with ``loss="quantile"`` also ``quantiles``, one behind the other; a
        classifier tells ``probabilities`` and ``class_index``, a place in `classes_`, which the
        metadata list. These also name the version of sknas and the genotype.

        Parameters
        ----------
        path : str or path-like
            The file to write.

        Raises
        ------
        ImportError
            If onnx is not installed, which the extra ``export`` brings.
        """
        check_is_fitted(self)
        read, samples = reader_of(self._layout, self._x_scaler, channels_first=self.channels_first)
        tell, outputs, facts = self._teller()
        names = getattr(self, "feature_names_in_", None)
        facts = {**facts, "feature_names": None if names is None else names.tolist()}
        around = Surroundings(read, tell, {"X": samples}, outputs, facts)
        write_estimator(path, type(self).__name__, self.module_, around)

    @abstractmethod
    def _teller(self) -> tuple[nn.Module, Mapping[str, int], Mapping[str, Any]]:
        """Return what tells predictions of the network's outputs.

        With it come the names of what is told, with the axis of samples in each, and what a file
        says of them.
        """
