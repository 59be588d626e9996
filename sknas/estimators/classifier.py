"""Classification of tabular rows and of sequences."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, validate_data
from torch import Tensor, nn

from sknas._validation import check_weights
from sknas.blocks import CrossEntropy
from sknas.estimators._checks import as_weights, check_numbers, check_size, is_three_deep
from sknas.estimators._classes import first_classes, in_worth_of_classes, known_classes
from sknas.estimators._preparation import Samples
from sknas.estimators.all_or_nothing import all_or_nothing
from sknas.estimators.base import BaseGrowingDARTS
from sknas.estimators.parameters import document
from sknas.genotype import Genotype
from sknas.reporting.deployed import ClassOutputs
from sknas.search import ArchRegularizer, ArchSchedule, CollapseWatch, GrowthRule, PruningRule
from sknas.supernet import AuxiliarySkip, EdgeChoice, Relaxation

__all__ = ["GrowingDARTSClassifier"]


@document()
class GrowingDARTSClassifier(ClassifierMixin, BaseGrowingDARTS):
    """Classifier that searches its own architecture, growing it from a logistic regression.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    %(attributes)s

    See Also
    --------
    GrowingDARTSRegressor : The same search for numbers; its documentation says how it works.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknas import GrowingDARTSClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GrowingDARTSClassifier(max_nodes=0, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
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
        linear_seed: bool = True,
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
        weight_decay: float | str = "auto",
        dropout: float | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        validation: Any = "auto",
        refit: str = "auto",
        refit_full: bool = False,
        n_models: int | str = "auto",
        class_weight: Any = None,
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
        self.linear_seed = linear_seed
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
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation = validation
        self.refit = refit
        self.refit_full = refit_full
        self.n_models = n_models
        self.class_weight = class_weight
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
        y : array-like of shape (n_samples,)
            Labels: strings, booleans or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            A sample of weight k counts as k samples; weights that are not all whole numbers
            are scaled to a mean of one.

        Returns
        -------
        GrowingDARTSClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, a shape or a value breaks its rule; the message names it.

        Warns
        -----
        InputWarning
            If the index of rows in time order has holes; the message says what makes it clear.
        """
        start = self._start_clock()
        X_checked, y_checked = self._check_both(X, y)
        layout = self._make_layout(X_checked)
        weights = as_weights(sample_weight, X_checked)
        labels, codes = np.unique(y_checked, return_inverse=True)
        before: NDArray[Any] = getattr(self, "classes_", labels)
        if self.warm_start and not np.array_equal(before, labels):
            raise ValueError(
                f"warm_start needs the classes of the previous fit, {before.tolist()!r}; "
                f"got {labels.tolist()!r}."
            )
        self.classes_ = labels
        present = np.unique(codes[weights > 0])
        if len(present) < 2:
            raise ValueError(
                "y must hold at least two classes among samples of positive weight; got one "
                f"class, {self.classes_[present].tolist()!r}."
            )
        weights = in_worth_of_classes(weights, codes, self.class_weight, self.classes_)
        samples = Samples(
            X_checked,
            codes,
            weights,
            layout,
            len(self.classes_),
            None,
            embedding_size=self.embedding_size or 0,
        )
        return self._fit(X, samples, CrossEntropy(), start=start)

    @all_or_nothing("partial_fit")
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
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
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that any call will see. The first call needs them, later ones do not.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`. A balanced `class_weight` is that of each call's samples.

        Returns
        -------
        GrowingDARTSClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, a shape or a value breaks its rule; the message names it.
        """
        start = self._start_clock()
        is_first = not hasattr(self, "module_")
        labels = first_classes(classes) if is_first else known_classes(classes, self.classes_)
        if is_first:
            X_checked, y_checked = self._check_both(X, y)
        else:
            X_checked = self._check_input(X, reset=False)
            y_checked = self._check_labels(y)
            check_consistent_length(X_checked, y_checked)
        check_classification_targets(y_checked)
        if len(unknown := np.setdiff1d(y_checked, labels)):
            raise ValueError(
                f"y must hold labels from classes={labels.tolist()!r}; "
                f"got {unknown[:10].tolist()!r} too."
            )
        self.classes_, codes = labels, np.searchsorted(labels, y_checked)
        weights = as_weights(sample_weight, X_checked)
        weights = in_worth_of_classes(weights, codes, self.class_weight, self.classes_)
        if is_first:
            layout = self._make_layout(X_checked)
            samples = Samples(
                X_checked,
                codes,
                weights,
                layout,
                len(labels),
                None,
                embedding_size=self.embedding_size or 0,
            )
            return self._fit(X, samples, CrossEntropy(), start=start)
        samples = Samples(
            X_checked,
            codes,
            weights,
            self._layout,
            len(labels),
            None,
            self._scales,
            self._context(X),
            self.module_.spec.shape.embedding_size,
        )
        return self._partial_fit(X, samples, CrossEntropy(), start=start)

    def _check_both(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        check_numbers(X, "X")
        if not is_three_deep(X) or y is None:
            X_checked, y_checked = validate_data(self, X, y, dtype=(np.float64, np.float32))
            check_size(X_checked, "X")
        else:
            X_checked = self._check_input(X, reset=True)
            y_checked = self._check_labels(y)
            check_consistent_length(X_checked, y_checked)
        check_classification_targets(y_checked)
        return X_checked, y_checked

    def _check_labels(self, y: ArrayLike) -> NDArray[Any]:
        """Return y as a 1-D array without missing labels, by scikit-learn's rules."""
        labels: NDArray[Any] = validate_data(self, y=y, reset=False)
        return labels

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logits.

        Parameters
        ----------
        X : array-like
            Samples of the kind that `fit` got.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Logits; with two classes, the second's minus the first's.
        """
        logits = self._outputs(X)[:, :, 0]
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like
            Samples of the kind that `fit` got.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._outputs(X, _probabilities)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like
            Samples of the kind that `fit` got.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        codes = self._outputs(X, _most_probable)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of samples whose class is predicted.

        Parameters
        ----------
        X : array-like
            Samples of the kind that `fit` got.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative.

        Returns
        -------
        float
            The accuracy.
        """
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, self._check_labels(y))
        return float(super().score(X, y, sample_weight))

    def _teller(self) -> tuple[nn.Module, Mapping[str, int], Mapping[str, Any]]:
        outputs = {"probabilities": 0, "class_index": 0}
        return ClassOutputs(), outputs, {"classes": self.classes_.tolist()}


def _most_probable(logits: Tensor) -> Tensor:
    return logits[:, :, 0].argmax(dim=1)


def _probabilities(logits: Tensor) -> Tensor:
    return logits[:, :, 0].softmax(dim=1)
