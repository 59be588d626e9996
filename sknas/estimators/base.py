"""The shell that the estimators share: check input, call down, keep what was learned."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Generator

from sknas._validation import validate_parameters
from sknas.blocks import Objective
from sknas.blocks.window_data import outputs
from sknas.derived import DerivedNetwork
from sknas.estimators._checks import check_device, is_three_deep, read_genotype
from sknas.estimators._fitting import Outcome, fit_network
from sknas.estimators._layout import Layout, TrailingRows
from sknas.estimators._parameters import CONSTRAINTS
from sknas.estimators._preparation import Prepared, Samples, prepare
from sknas.estimators._progress import ProgressBar
from sknas.estimators._settings import Settings
from sknas.exceptions import SearchWarning
from sknas.genotype import NAMED_CELLS, Genotype
from sknas.ops import DEFAULT_OPERATIONS, get_op
from sknas.reporting import GrowthEvent
from sknas.search import (
    EffectPruning,
    GrowthRule,
    MagnitudePruning,
    PeriodicGrowth,
    PlateauGrowth,
    PruningRule,
)
from sknas.supernet import (
    ClampRelaxation,
    GumbelRelaxation,
    Relaxation,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxRelaxation,
)
from sknas.training import torch_runtime

__all__ = ["BaseGrowingDARTS"]

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

GROWTH: dict[str, type[GrowthRule]] = {"plateau": PlateauGrowth, "periodic": PeriodicGrowth}
PRUNING: dict[str, type[PruningRule]] = {
    "effect": EffectPruning,
    "magnitude": MagnitudePruning,
}
RELAXATION: dict[str, type[Relaxation]] = {
    "softmax": SoftmaxRelaxation,
    "sigmoid": SigmoidRelaxation,
    "scaled_sigmoid": ScaledSigmoidRelaxation,
    "clamp": ClampRelaxation,
    "gumbel": GumbelRelaxation,
}
VALIDATION = ("auto", "chronological", "shuffle", "stratified")
HISTORY_COLUMNS = (
    "epoch",
    "phase",
    "train_loss",
    "val_loss",
    "n_nodes",
    "n_candidates",
    "n_params",
    "n_branches",
    "arch_steps",
    "gate_entropy",
    "progress",
    "seconds",
)


class BaseGrowingDARTS(BaseEstimator):
    """Shared machinery of the regressor and the classifier."""

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = CONSTRAINTS
    _doc_link_module = "sknas"
    n_features_in_: int

    # -- fit ----------------------------------------------------------------------------------

    def _fit(self, given: Any, samples: Samples, objective: Objective, *, start: float) -> Self:
        """Search, derive and train on checked samples; `given` is X as the user passed it."""
        settings = self._settings()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with torch_runtime(), self._progress() as progress:
            prepared = prepare(
                samples,
                objective=objective,
                window_norm=self._window_norm(samples),
                channel_mode="independent" if self.channel_mode == "auto" else self.channel_mode,
                validation=self.validation,
                validation_fraction=self.validation_fraction,
                batch_size=self.batch_size,
                seed=seed,
                device=self.device,
            )
            outcome = fit_network(prepared.problem, settings, progress, start)
        self._keep(given, samples, prepared, outcome)
        if outcome.interrupt is not None:
            raise outcome.interrupt
        return self

    def _keep(self, given: Any, samples: Samples, prepared: Prepared, outcome: Outcome) -> None:
        self.module_ = outcome.network.double().cpu().eval().requires_grad_(requires_grad=False)
        self.genotype_ = outcome.network.spec.genotype
        history = pd.DataFrame(outcome.rows).reindex(columns=list(HISTORY_COLUMNS))
        self.search_history_ = history.assign(epoch=np.arange(1, len(history) + 1))
        self.growth_events_ = [GrowthEvent.of(move) for move in outcome.moves]
        self.search_report_ = outcome.report
        self.n_params_ = outcome.network.n_params
        self.n_iter_ = len(history)
        self._layout = samples.layout
        self._x_scaler = prepared.x_scaler
        self._y_scaler = prepared.y_scaler
        self._trailing = None
        if samples.layout.kind == "rows":
            self._trailing = TrailingRows.of(given, prepared.rows, samples.layout.lookback)

    def _window_norm(self, samples: Samples) -> str:
        if self.window_norm != "auto":
            norm: str = self.window_norm
            return norm
        return "none" if samples.target_channels is None else "last"

    def _settings(self) -> Settings:
        """Resolve strings to objects, and check what the constraints cannot say."""
        operations = DEFAULT_OPERATIONS if isinstance(self.operations, str) else self.operations
        if not len(operations):
            raise ValueError(f"operations must name at least one; got {self.operations!r}.")
        for name in operations:
            get_op(name)
        if isinstance(self.validation, str) and self.validation not in VALIDATION:
            # A string has a method "split" too, so the constraints let every one pass.
            raise ValueError(
                f"validation must be one of {list(VALIDATION)} or a splitter; "
                f"got {self.validation!r}."
            )
        check_device(self.device)
        initial = self.initial_genotype
        if isinstance(initial, str) and initial not in ("auto", "linear", *NAMED_CELLS):
            raise ValueError(
                f"initial_genotype must be 'auto', 'linear', one of {sorted(NAMED_CELLS)} or a "
                f"Genotype; got {initial!r}."
            )
        n_initial = len(NAMED_CELLS[initial].nodes) if initial in NAMED_CELLS else 0
        n_initial = initial.n_nodes if isinstance(initial, Genotype) else n_initial
        if self.genotype is None and n_initial > self.max_nodes > 0:
            raise ValueError(
                f"initial_genotype must have at most max_nodes={self.max_nodes} nodes; "
                f"got {n_initial} nodes."
            )
        if self.initial_nodes > max(self.max_nodes, 1):
            warnings.warn(
                f"initial_nodes={self.initial_nodes} exceeds max_nodes={self.max_nodes}; the "
                "search starts from max_nodes nodes. Raise max_nodes to start from more.",
                SearchWarning,
                stacklevel=4,
            )
        return Settings(
            tuple(operations),
            initial,
            self.initial_nodes,
            self.max_nodes,
            self.hidden_size,
            self.n_layers,
            read_genotype(self.genotype),
            self.segment_length,
            self.channel_mode,
            self.linear_seed,
            self.mode,
            GROWTH[self.growth]() if isinstance(self.growth, str) else clone(self.growth),
            PRUNING[self.pruning]() if isinstance(self.pruning, str) else clone(self.pruning),
            (
                RELAXATION[self.relaxation]()
                if isinstance(self.relaxation, str)
                else clone(self.relaxation)
            ),
            self.arch_learning_rate,
            self.size_penalty,
            self.max_params,
            self.search_epochs,
            self.max_epochs,
            self.time_budget,
            self.batch_size,
            self.learning_rate,
            self.weight_decay,
            self.dropout,
            self.early_stopping,
            self.refit,
            self.refit_full,
        )

    def _progress(self) -> ProgressBar:
        return ProgressBar(is_shown=bool(self.verbose))

    # -- input --------------------------------------------------------------------------------

    def _check_input(self, X: ArrayLike, *, reset: bool) -> Array:
        """Return X as a float array: 2-D, or (n_samples, n_steps, n_channels)."""
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
        if len(X) < 2:
            raise ValueError(
                f"fit needs at least 2 samples, to hold some out; got n_samples={len(X)} "
                "(1 sample)."
            )
        return layout

    # -- prediction ---------------------------------------------------------------------------

    def _outputs(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the network's raw outputs (n_samples, n_targets, horizon)."""
        check_is_fitted(self)
        checked = self._check_input(X, reset=False)
        rows = self._x_scaler.transform(checked)
        context = None if self._trailing is None else self._trailing.before(X)
        past = self._layout.past(rows, context)
        with torch_runtime(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            windows = torch.from_numpy(past)
            result = outputs(self.module_, windows, torch.arange(len(windows)))
        array: NDArray[np.float64] = result.numpy()
        return array

    # -- persistence --------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return numpy arrays and plain Python: the network's weights, not the module."""
        state = dict(super().__getstate__())
        module = state.pop("module_", None)
        if module is not None:
            weights = {name: value.numpy() for name, value in module.state_dict().items()}
            state["_network"] = (module.spec, weights)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network again around its weights."""
        state = dict(state)
        network = state.pop("_network", None)
        super().__setstate__(state)
        if network is not None:
            spec, weights = network
            module = DerivedNetwork(spec, generator=Generator().manual_seed(0), dtype=torch.float64)
            module.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
            self.module_ = module.eval().requires_grad_(requires_grad=False)


def start_clock(estimator: BaseGrowingDARTS) -> float:
    """Check the parameters and return when the fit began.

    Parameters
    ----------
    estimator : BaseGrowingDARTS
        Whose fit begins.

    Returns
    -------
    float
        Reading of the monotonic clock.
    """
    validate_parameters(estimator, estimator._parameter_constraints)
    return time.monotonic()
