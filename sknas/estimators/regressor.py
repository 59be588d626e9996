"""Regression: tabular rows, sequences, and the future of a series."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, validate_data
from torch import nn

from sknas._validation import check_weights
from sknas.estimators._checks import as_weights, check_numbers, check_size, is_three_deep
from sknas.estimators._preparation import Samples
from sknas.estimators._suspicion import warn_of_targets
from sknas.estimators._targets import (
    as_target_channels,
    as_targets,
    checked_targets,
    shape_text,
)
from sknas.estimators.all_or_nothing import all_or_nothing
from sknas.estimators.base import BaseGrowingDARTS
from sknas.estimators.losses import checked_quantiles, make_objective, median_of
from sknas.estimators.parameters import document
from sknas.genotype import Genotype
from sknas.reporting.deployed import RegressionOutputs
from sknas.search import ArchRegularizer, ArchSchedule, CollapseWatch, GrowthRule, PruningRule
from sknas.supernet import AuxiliarySkip, EdgeChoice, Relaxation
from sknas.windows import Scaler

__all__ = ["GrowingDARTSRegressor"]


@document()
class GrowingDARTSRegressor(MultiOutputMixin, RegressorMixin, BaseGrowingDARTS):
    """Regressor that searches its own architecture, growing it from a linear model.

    `fit` solves a ridge regression, grows recurrent branches beside it by function-preserving
    edits, keeps those that pay on held-out samples, prunes them, and returns a small fixed
    network, never worse on validation than the linear model it started from.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GrowingDARTSClassifier : The same search for classes.

    Notes
    -----
    The growing two-input backbone follows Jie and Gao (2021), arXiv:2106.07211, as far as their
    papers state it; the user guide says what is our reconstruction.

    Examples
    --------
    >>> from sknas import GrowingDARTSRegressor
    >>> from sknas.datasets import make_linear_law
    >>> X, y = make_linear_law(n_samples=200, random_state=0)
    >>> model = GrowingDARTSRegressor(max_nodes=0, random_state=0).fit(X, y)
    >>> print(model.genotype_)
    linear seed
    >>> model.predict(X).shape
    (200,)
    """

    def __init__(
        self,
        *,
        backbone: str = "two_input",
        operations: str | Sequence[str] = "default",
        initial_genotype: str | Genotype = "auto",
        initial_nodes: int = 1,
        max_nodes: int = 12,
        hidden_size: int | str = "auto",
        n_layers: int = 1,
        genotype: str | Genotype | None = None,
        lookback: int | None = None,
        embedding_size: int | None = None,
        segment_length: int | str = "auto",
        channel_mode: str = "auto",
        window_norm: str = "auto",
        channel_gains: bool = True,
        linear_seed: bool = True,
        target_channels: Sequence[int] | None = None,
        channels_first: bool = False,
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
        validation: Any = "auto",
        refit: str = "auto",
        refit_full: bool = False,
        n_models: int | str = "auto",
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 0,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        warm_start: bool = False,
    ) -> None:
        self.backbone = backbone
        self.operations = operations
        self.initial_genotype = initial_genotype
        self.initial_nodes = initial_nodes
        self.max_nodes = max_nodes
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.genotype = genotype
        self.lookback = lookback
        self.embedding_size = embedding_size
        self.segment_length = segment_length
        self.channel_mode = channel_mode
        self.window_norm = window_norm
        self.channel_gains = channel_gains
        self.linear_seed = linear_seed
        self.target_channels = target_channels
        self.channels_first = channels_first
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
        self.warm_start = warm_start

    @all_or_nothing("fit")
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Search an architecture and train it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_timepoints, n_channels) or \
                (n_samples, n_steps, n_channels)
            Tabular rows; rows in time order, with `lookback`; or sequences, which may end in
            all-NaN steps.
        y : array-like of shape (n_samples,), (n_samples, n_targets) or \
                (n_samples, horizon, n_targets)
            Targets. With `lookback`, row t of y belongs to row t of X.
        sample_weight : array-like of shape (n_samples,), default=None
            A sample of weight k counts as k samples; weights that are not all whole numbers
            are scaled to a mean of one. With `lookback`, a weight of zero masks a row in the loss
            and leaves it in the history.

        Returns
        -------
        GrowingDARTSRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, a shape or a value breaks its rule; the message names it.

        Warns
        -----
        InputWarning
            If targets plainly do not continue the channels that they are mapped to, or the index
            of rows in time order has holes; the message says what makes it clear.
        """
        start = self._start_clock()
        X_checked, y_checked = self._check_both(X, y)
        layout = self._make_layout(X_checked)
        weights = as_weights(sample_weight, X_checked)
        self._y_shape = y_checked.shape[1:]
        is_coded = self.embedding_size is not None
        channels = as_target_channels(self.target_channels, layout, y_checked, is_coded=is_coded)
        targets, is_default = as_targets(y_checked), self.target_channels is None
        warn_of_targets(
            X_checked, targets, weights, layout, channels, is_default=is_default, stacklevel=3
        )
        samples = Samples(
            X_checked,
            targets,
            weights,
            layout,
            0,
            channels,
            embedding_size=self.embedding_size or 0,
            quantiles=checked_quantiles(self.loss, self.quantile_levels),
        )
        objective = make_objective(self.loss, samples.quantiles)
        return self._fit(X, samples, objective, start=start)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Go on learning from new samples, and grow if their loss asks for it.

        The first call is a `fit`. A later one keeps the scales and the network; it moves the
        linear seed, trains on for a short time, and offers growth where the loss on the new
        samples then stands clearly above that of the samples before. A part of the new samples
        is held out, and on it the network never becomes worse. `refit`, `refit_full` and
        `n_models` are of a `fit` alone: a later call trains the network it has, on the part that is
        not held out. With
        `size_penalty` the search of a later call prices weights, but nothing is narrowed, and
        whether the grown network stays is a matter of loss alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_timepoints, n_channels) or \
                (n_samples, n_steps, n_channels)
            New samples of the kind that the first call got. With `lookback`, the first rows of a
            frame whose index directly continues that of the frame before read its rows as history.
        y : array-like of shape (n_samples,), (n_samples, n_targets) or \
                (n_samples, horizon, n_targets)
            Their targets, in the shape that the first call got.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        GrowingDARTSRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, a shape or a value breaks its rule; the message names it.
        """
        if not hasattr(self, "module_"):
            return self.fit(X, y, sample_weight)
        return self._learn_on(X, y, sample_weight)

    @all_or_nothing("partial_fit")
    def _learn_on(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Self:
        start = self._start_clock()
        X_checked = self._check_input(X, reset=False)
        y_checked = checked_targets(y, self)
        if y_checked.shape[1:] != self._y_shape:
            raise ValueError(
                f"y must have the shape {shape_text(self._y_shape)} of the first call; "
                f"got {y_checked.shape}."
            )
        check_consistent_length(X_checked, y_checked)
        samples = Samples(
            X_checked,
            as_targets(y_checked),
            as_weights(sample_weight, X_checked),
            self._layout,
            0,
            self.module_.spec.shape.target_channels,
            self._scales,
            self._context(X),
            self.module_.spec.shape.embedding_size,
            self.module_.spec.shape.quantiles,
        )
        if bool(samples.quantiles) != (self.loss == "quantile"):
            raise ValueError(
                "loss must stay 'quantile', or another than that, between the calls of "
                f"partial_fit; got {self.loss!r}."
            )
        objective = make_objective(self.loss, samples.quantiles)
        return self._partial_fit(X, samples, objective, start=start)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict targets.

        Parameters
        ----------
        X : array-like
            Samples of the kind that `fit` got. With `lookback`, rows with less history than that
            are padded by the first row, unless X is a frame whose index directly continues that
            of the training frame.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_targets) or (n_samples, horizon, n_targets)
            Predictions, float64, in the shape of y; medians with ``loss="quantile"``.
        """
        outputs = self._outputs(X)
        return self._in_shape_of_y(median_of(outputs, self.module_.spec.shape.quantiles))

    def predict_quantiles(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict the quantiles that a model with ``loss="quantile"`` has learned.

        Parameters
        ----------
        X : array-like
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_levels, n_samples, ...)
            A prediction in the shape of y for each of `quantile_levels`; they never cross.

        Raises
        ------
        ValueError
            If the model was fitted with another loss.
        """
        outputs = self._outputs(X)
        quantiles = self.module_.spec.shape.quantiles
        if not quantiles:
            raise ValueError(f"predict_quantiles needs loss='quantile' in fit; got {self.loss!r}.")
        by_level = np.split(outputs, len(quantiles), axis=2)
        return np.stack([self._in_shape_of_y(level) for level in by_level])

    def _in_shape_of_y(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return outputs (n_samples, n_targets, horizon) in the units and the shape of y."""
        values = self._checked_y_scaler().inverse_transform(outputs.swapaxes(1, 2))
        return np.ascontiguousarray(values.reshape(len(values), *self._y_shape))

    def _checked_y_scaler(self) -> Scaler:
        if self._y_scaler is None:
            raise RuntimeError("internal error: a regressor without a target scale.")
        return self._y_scaler

    def _teller(self) -> tuple[nn.Module, Mapping[str, int], Mapping[str, Any]]:
        shape, scales = self.module_.spec.shape, self._checked_y_scaler()
        tell = RegressionOutputs(scales.center, scales.scale, shape, self._y_shape)
        if not shape.quantiles:
            return tell, {"prediction": 0}, {}
        return tell, {"prediction": 0, "quantiles": 1}, {"quantile_levels": shape.quantiles}

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R^2, averaged over targets and steps.

        Parameters
        ----------
        X : array-like
            Samples.
        y : array-like
            True targets, in the shape that `fit` got.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            R^2 of the predictions; a 3-D y counts as horizon * n_targets outputs.
        """
        from sklearn.metrics import r2_score  # slow to import, and not needed to predict

        predicted = self.predict(X)
        truth = checked_targets(y, self)
        n_outputs = predicted[0].size
        is_flat = truth.ndim < 3 and (truth[0].size == n_outputs)
        if not (is_flat or truth.shape[1:] == self._y_shape):
            raise ValueError(
                f"y must have the shape {shape_text(self._y_shape)} of that in fit, or "
                f"(n_samples, {n_outputs}); got {truth.shape}."
            )
        check_consistent_length(predicted, truth)
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, predicted)
        score = r2_score(
            truth.reshape(len(truth), -1),
            predicted.reshape(len(predicted), -1),
            sample_weight=sample_weight,
        )
        return float(score)

    def _check_both(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        if y is None:
            validate_data(self, X, y)  # raises, in scikit-learn's words
        check_numbers(X, "X")
        check_numbers(y, "y")
        if not is_three_deep(X) and not is_three_deep(y):
            checked: tuple[NDArray[Any], NDArray[Any]] = validate_data(
                self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True
            )
            for values, name in zip(checked, ("X", "y"), strict=True):
                check_size(values, name)
            return checked
        X_checked = self._check_input(X, reset=True)
        y_checked = checked_targets(y, self)
        check_consistent_length(X_checked, y_checked)
        return X_checked, y_checked
