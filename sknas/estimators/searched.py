"""What a search leaves on an estimator: the network, its record, and how both are kept."""

from __future__ import annotations

import copy
import dataclasses
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from torch import Generator, nn

from sknas._validation import validate_parameters
from sknas.derived import DerivedNetwork, FrozenNetwork
from sknas.estimators._account import Outcome, ValidationLoss
from sknas.estimators._callbacks import PASSING, CallbackSupportMixin, FitTasks
from sknas.estimators._faults import warn_of_faults
from sknas.estimators._fitting import fit_network
from sknas.estimators._journal import FolderJournal, Journal
from sknas.estimators._kept import kept, read_back
from sknas.estimators._progress import Log, Progress, ProgressBar
from sknas.estimators._resolution import resolve
from sknas.estimators._settings import Settings
from sknas.estimators._updating import Past, update_network
from sknas.estimators.parameters import CONSTRAINTS
from sknas.exceptions import SearchWarning
from sknas.reporting import GrowthEvent, SearchReport
from sknas.training import Problem, torch_runtime

__all__ = ["SearchedNetwork"]

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
    "edge_entropy",
    "skip_weight",
    "arch_curvature",
    "effective_rank",
    "progress",
    "seconds",
)


@dataclass(frozen=True)
class Earlier:
    """What earlier calls of `fit` and `partial_fit` left on an estimator."""

    n_calls: int = 0
    histories: Sequence[pd.DataFrame] = ()
    events: Sequence[GrowthEvent] = ()
    report: SearchReport | None = None
    network: DerivedNetwork | None = None


class SearchedNetwork(CallbackSupportMixin, BaseEstimator):
    """An estimator whose parameters are those of a search, and whose state is its result.

    A shell checks its input, makes a `Problem` of it and hands that to `_search` or `_go_on`, from
    a method that is `all_or_nothing`.
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = CONSTRAINTS
    _doc_link_module = "sknas"
    search_report_: SearchReport
    _memory: ValidationLoss
    _interrupt: BaseException | None
    _tasks: FitTasks

    def _start_clock(self) -> float:
        """Check the parameters and return when the fit began, by the monotonic clock."""
        validate_parameters(self, self._parameter_constraints)
        return time.monotonic()

    def _resolved(self) -> Settings:
        return resolve(self.get_params(deep=False))

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    # -- search and training --------------------------------------------------------------------

    def _search(
        self,
        problem: Problem,
        settings: Settings,
        start: float,
        previous: DerivedNetwork | None = None,
    ) -> Outcome:
        """Search, derive and train; keep the result in place of any before."""
        given = settings if previous is None else previous.spec.shape
        problem = _with_gains(problem, has_gains=given.has_gains)
        outcome = None
        try:
            with torch_runtime(), self._journal(problem, settings, previous) as journal:
                start -= journal.seconds
                with self._progress() as progress:
                    outcome = fit_network(problem, settings, progress, start, previous, journal)
        except KeyboardInterrupt as error:
            if outcome is None:
                raise
            outcome = outcome.interrupted_by(error)
        self._insist(self._keep, outcome, Earlier())
        warn_of_faults(outcome.report)
        return outcome

    def _go_on(self, problem: Problem, settings: Settings, start: float) -> Outcome:
        """Go on from the present network; keep what was learned behind what earlier calls told."""
        past = Past(self._memory, self.n_iter_, self._n_calls)
        problem = _with_gains(problem, has_gains=self.module_.spec.shape.has_gains)
        network = self._network_for(problem)
        earlier = Earlier(
            self._n_calls, [self.search_history_], self.growth_events_, self.search_report_, network
        )
        outcome = None
        try:
            with torch_runtime(), self._progress(goes_on=True) as progress:
                outcome = update_network(problem, settings, network, past, progress, start)
        except KeyboardInterrupt as error:
            if outcome is None:
                raise
            outcome = outcome.interrupted_by(error)
        self._insist(self._keep, outcome, earlier)
        warn_of_faults(outcome.report)
        return outcome

    def _journal(
        self, problem: Problem, settings: Settings, previous: DerivedNetwork | None
    ) -> Journal:
        if self.checkpoint_dir is None:
            return Journal()
        if self.random_state is None:
            warnings.warn(
                "checkpoint_dir needs a random_state that is the same when the fit is run again, "
                "such as an integer; got random_state=None, so nothing is kept.",
                SearchWarning,
                stacklevel=6,
            )
            return Journal()
        return FolderJournal(self.checkpoint_dir, problem, settings, previous)

    def _insist(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what a result is not whole without; begin anew where the user interrupts it."""
        try:
            return work(*args, **kwargs)
        except KeyboardInterrupt as error:
            result = work(*args, **kwargs)
            self._interrupt = error
            self.search_report_ = dataclasses.replace(self.search_report_, stopped_by="interrupt")
            return result

    def _progress(self, *, goes_on: bool = False) -> Progress:
        bars = [ProgressBar()] if self.verbose else []
        # The tasks last: they may end the phase before others have heard of the epoch.
        tasks = [self._tasks] if hasattr(self, "_tasks") else []
        for each in tasks:
            each.goes_on = goes_on
        return Progress(Log(), *bars, *tasks)

    def _network_for(self, problem: Problem) -> DerivedNetwork:
        """Return a copy of the present network in the type that training uses."""
        network: DerivedNetwork = copy.deepcopy(self.module_)
        return network.to(problem.data.past.device, problem.dtype)

    def _keep(self, outcome: Outcome, earlier: Earlier) -> None:
        """Keep an outcome behind what earlier calls left; once more is the same."""
        if outcome.network is earlier.network:
            self._memory = outcome.memory  # the network is not even rounded to the training's type
        else:
            self._keep_network(outcome)
        self.search_history_ = _history(outcome.rows, earlier.histories)
        self.n_iter_ = len(self.search_history_)
        self._interrupt = outcome.interrupt
        self.growth_events_ = [
            *earlier.events,
            *(GrowthEvent.of(move) for move in outcome.moves),
        ]
        report = earlier.report
        self.search_report_ = (
            outcome.report if report is None else report.followed_by(outcome.report)
        )
        self._n_calls = earlier.n_calls + 1

    def _keep_network(self, outcome: Outcome) -> None:
        self._set_module(outcome.network.double().cpu())
        self.genotype_ = outcome.network.spec.genotype
        self.n_params_ = outcome.network.n_params
        self._memory = outcome.memory

    def _as_if_ended(
        self, network: nn.Module, rows: list[dict[str, Any]], *, goes_on: bool
    ) -> dict[str, Any]:
        """Return what a fit would leave behind if a network were its result."""
        module: Any = copy.deepcopy(network).double().cpu().eval()
        module.requires_grad_(requires_grad=False)
        earlier = [self.search_history_] if goes_on else []
        return {
            "module_": module,
            "_frozen": FrozenNetwork(module),
            "genotype_": module.spec.genotype,
            "n_params_": module.n_params,
            "search_history_": (history := _history(rows, earlier)),
            "n_iter_": len(history),
        }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    # -- in a notebook --------------------------------------------------------------------------

    def _repr_html_inner(self) -> str:
        """Return scikit-learn's HTML, followed by what the search found."""
        return super()._repr_html_inner() + self._genotype_html()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += self._genotype_html()
        return bundle

    def _genotype_html(self) -> str:
        return self.genotype_._repr_html_() if hasattr(self, "genotype_") else ""

    # -- persistence ----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return numpy arrays and plain Python: the network's weights, not the module."""
        state = dict(super().__getstate__())
        for name in ("_frozen", *PASSING):
            state.pop(name, None)
        callbacks = state.pop("_skl_callbacks", None)
        module = state.pop("module_", None)
        if module is not None:
            weights = {name: value.numpy() for name, value in module.state_dict().items()}
            state["_network"] = (module.spec, weights)
        written = kept(state)
        # The user's own objects, which are no part of what was learned.
        return written if callbacks is None else {**written, "_skl_callbacks": callbacks}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network again around its weights.

        Of the state of another version there is a warning, or, where it cannot be read, an error.
        """
        state = dict(state)
        callbacks = state.pop("_skl_callbacks", None)
        state = read_back(state, type(self).__name__)
        if callbacks is not None:
            state["_skl_callbacks"] = callbacks
        network = state.pop("_network", None)
        super().__setstate__(state)
        if network is not None:
            spec, weights = network
            module = DerivedNetwork(spec, generator=Generator().manual_seed(0), dtype=torch.float64)
            # Copies, since arrays that joblib maps into memory may not be written to.
            module.load_state_dict({name: torch.tensor(w) for name, w in weights.items()})
            self._set_module(module)

    def _set_module(self, network: DerivedNetwork) -> None:
        """Keep a network, and what predicts in its place."""
        self.module_ = network.eval().requires_grad_(requires_grad=False)
        self._frozen = FrozenNetwork(self.module_)


def _history(rows: list[dict[str, Any]], earlier: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the records of epochs behind those of earlier calls."""
    table = pd.DataFrame(rows).reindex(columns=list(HISTORY_COLUMNS))
    parts = [part for part in (*earlier, table) if len(part)]
    history = pd.concat(parts, ignore_index=True) if parts else table
    return history.assign(epoch=np.arange(1, len(history) + 1))


def _with_gains(problem: Problem, *, has_gains: bool) -> Problem:
    """Say of a problem's networks whether channels that share a branch have gains of their own."""
    shape = dataclasses.replace(problem.shape, has_gains=has_gains)
    return dataclasses.replace(problem, shape=shape)
