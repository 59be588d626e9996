"""The shell that the estimators share: check input, call down, keep what was learned."""

from __future__ import annotations

import copy
import dataclasses
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Generator

from sknas._validation import validate_parameters
from sknas.blocks import NetworkShape, Objective
from sknas.blocks.window_data import outputs
from sknas.derived import DerivedNetwork
from sknas.estimators._checks import check_codes, is_three_deep
from sknas.estimators._fitting import fit_network
from sknas.estimators._layout import Layout, TrailingRows
from sknas.estimators._parameters import CONSTRAINTS
from sknas.estimators._preparation import Prepared, Samples, Scales, prepare
from sknas.estimators._progress import ProgressBar
from sknas.estimators._resolution import resolve
from sknas.estimators._stages import Outcome
from sknas.estimators._updating import Past, update_network
from sknas.reporting import GrowthEvent
from sknas.training import Problem, torch_runtime

__all__ = ["BaseGrowingDARTS"]

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

HISTORY_COLUMNS = (
    "epoch",
    "phase",
    "train_loss",
    "val_loss",
    "n_nodes",
    "n_candidates",
    "n_params",
    "expected_params",
    "n_branches",
    "arch_steps",
    "arch_samples",
    "gate_entropy",
    "skip_weight",
    "arch_curvature",
    "effective_rank",
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
        settings = resolve(self.get_params(deep=False))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        window_norm = self._window_norm(samples)
        spec = self.module_.spec if self.warm_start and hasattr(self, "module_") else None
        if spec is not None:
            samples = self._as_before(samples)
            window_norm = spec.window_norm
            settings = dataclasses.replace(settings, channel_mode=spec.channel_mode)
        with torch_runtime(), self._progress() as progress:
            prepared = prepare(
                samples,
                objective=objective,
                window_norm=window_norm,
                channel_mode=(
                    "independent" if settings.channel_mode == "auto" else settings.channel_mode
                ),
                validation=self.validation,
                validation_fraction=self.validation_fraction,
                arch_fraction=settings.arch_fraction,
                batch_size=self.batch_size,
                seed=seed,
                device=self.device,
            )
            previous = None if spec is None else self._network_for(prepared.problem)
            outcome = fit_network(prepared.problem, settings, progress, start, previous)
        self._keep(given, samples, prepared, outcome)
        if outcome.interrupt is not None:
            raise outcome.interrupt
        return self

    def _keep(self, given: Any, samples: Samples, prepared: Prepared, outcome: Outcome) -> None:
        self._keep_network(outcome)
        history = pd.DataFrame(outcome.rows).reindex(columns=list(HISTORY_COLUMNS))
        self.search_history_ = history.assign(epoch=np.arange(1, len(history) + 1))
        self.growth_events_ = [GrowthEvent.of(move) for move in outcome.moves]
        self.search_report_ = outcome.report
        self.n_iter_ = len(history)
        self._n_calls = 1
        self._layout = samples.layout
        self._x_scaler = prepared.x_scaler
        self._y_scaler = prepared.y_scaler
        self._trailing = None
        if samples.layout.kind == "rows":
            self._trailing = TrailingRows.of(given, prepared.rows, samples.layout.lookback)

    def _keep_network(self, outcome: Outcome) -> None:
        self.module_ = outcome.network.double().cpu().eval().requires_grad_(requires_grad=False)
        self.genotype_ = outcome.network.spec.genotype
        self.n_params_ = outcome.network.n_params
        self._memory = outcome.memory

    # -- what a later call starts from ---------------------------------------------------------

    def _as_before(self, samples: Samples) -> Samples:
        """Return samples in the units of the present network, whose shape they must have."""
        shape: NetworkShape = self.module_.spec.shape
        layout = dataclasses.replace(
            samples.layout, has_padding=samples.layout.has_padding or shape.has_padding
        )
        samples = dataclasses.replace(samples, layout=layout, scales=self._scales)
        if samples.shape != shape:
            raise ValueError(
                f"warm_start needs data of the shape of the previous fit, {shape}; "
                f"got {samples.shape}."
            )
        return samples

    def _network_for(self, problem: Problem) -> DerivedNetwork:
        """Return a copy of the present network in the type that training uses."""
        network: DerivedNetwork = copy.deepcopy(self.module_)
        return network.to(problem.data.past.device, problem.dtype)

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
        if len(samples.X) < 2:
            raise ValueError(
                "partial_fit needs at least 2 samples, to hold some out; "
                f"got n_samples={len(samples.X)} (1 sample)."
            )
        settings = resolve(self.get_params(deep=False))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        spec = self.module_.spec
        past = Past(self._memory, self.n_iter_, self._n_calls)
        with torch_runtime(), self._progress() as progress:
            prepared = prepare(
                samples,
                objective=objective,
                window_norm=spec.window_norm,
                channel_mode=spec.channel_mode,
                validation=self.validation,
                validation_fraction=self.validation_fraction,
                arch_fraction=settings.arch_fraction,
                batch_size=self.batch_size,
                seed=seed,
                device=self.device,
            )
            network = self._network_for(prepared.problem)
            outcome = update_network(prepared.problem, settings, network, past, progress, start)
        if outcome.network is network:
            # Not even rounded to the type of the training.
            outcome = dataclasses.replace(outcome, network=self.module_)
        self._extend(given, prepared, outcome)
        if outcome.interrupt is not None:
            raise outcome.interrupt
        return self

    def _extend(self, given: Any, prepared: Prepared, outcome: Outcome) -> None:
        """Keep what a later call learned, behind what earlier ones told."""
        self._keep_network(outcome)
        rows = pd.DataFrame(outcome.rows).reindex(columns=list(HISTORY_COLUMNS))
        parts = [part for part in (self.search_history_, rows) if len(part)]
        history = pd.concat(parts, ignore_index=True) if parts else rows
        self.search_history_ = history.assign(epoch=np.arange(1, len(history) + 1))
        self.growth_events_ = [
            *self.growth_events_,
            *(GrowthEvent.of(move) for move in outcome.moves),
        ]
        self.search_report_ = self.search_report_.followed_by(outcome.report)
        self.n_iter_ = len(history)
        self._n_calls += 1
        if self._layout.kind == "rows":
            lookback = self._layout.lookback
            self._trailing = (
                TrailingRows.of(given, prepared.rows, lookback)
                if self._trailing is None
                else self._trailing.moved_on(given, prepared.rows, lookback)
            )

    def _window_norm(self, samples: Samples) -> str:
        if samples.embedding_size and self.window_norm not in ("auto", "none"):
            raise ValueError(
                "window_norm must be 'auto' or 'none' with embedding_size, since codes have no "
                f"level; got {self.window_norm!r}."
            )
        if self.window_norm != "auto":
            norm: str = self.window_norm
            return norm
        return "none" if samples.target_channels is None else "last"

    def _progress(self) -> ProgressBar:
        return ProgressBar(is_shown=bool(self.verbose))

    # -- input --------------------------------------------------------------------------------

    def _check_input(self, X: ArrayLike, *, reset: bool) -> Array:
        """Return X as a float array: 2-D, or (n_samples, n_steps, n_channels)."""
        checked = self._check_shape(X, reset=reset)
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

    # -- prediction ---------------------------------------------------------------------------

    def _outputs(
        self, X: ArrayLike, reduce: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> NDArray[Any]:
        """Return the network's raw outputs (n_samples, n_targets, horizon).

        Or, where that would be much, what `reduce` keeps of each batch of them.
        """
        check_is_fitted(self)
        checked = self._check_input(X, reset=False)
        rows = self._x_scaler.transform(checked)
        past = self._layout.past(rows, self._context(X))
        with torch_runtime(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            windows = torch.from_numpy(past)
            result = outputs(self.module_, windows, torch.arange(len(windows)), reduce=reduce)
        array: NDArray[Any] = result.numpy()
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
