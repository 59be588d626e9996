"""A table of bad input: what is called with what, and what its error must tell. No pytest needed.

``python -m tests.bad_inputs`` prints what each case tells.
"""

import copy
import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sknas import Genotype
from sknas.genotype import Branch, Cell, Node
from sknas.search import (
    EffectPruning,
    GradMaxGrowth,
    MagnitudePruning,
    NorthGrowth,
    PeriodicGrowth,
    PlateauGrowth,
)
from sknas.supernet import ScaledSigmoidRelaxation, SoftmaxRelaxation
from tests.forecasting.makers import autoregressive, days, frame, linear, panel
from tests.small import classifier, futures, product, regressor, sequences

BAD = (ValueError, TypeError)


@dataclass(frozen=True)
class Case:
    """One call that must fail, or, where `error` is None, work.

    Parameters
    ----------
    name : str
        What is bad.
    make : callable
        Returns the estimator, which no other case sees.
    method : str
        What is called, or an attribute that is read.
    args, kwargs : tuple, dict
        With what.
    error : type or tuple of types or None
        What is raised; None where the documentation says that it works.
    told : str
        A regular expression of what the user has to read.
    """

    name: str
    make: Callable[[], Any]
    method: str
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    error: Any = BAD
    told: str = "."

    @property
    def title(self) -> str:
        """Which case it is, among all."""
        name = type(self.make()).__name__.removeprefix("GrowingDARTS")
        return f"{name}.{self.method}: {self.name}"

    def call(self, model):
        """Return what the call returns, or raise."""
        attribute = getattr(model, self.method)
        return attribute(*self.args, **self.kwargs) if callable(attribute) else attribute

    def outcome(self):
        """Return what the call raised, or None, and the estimator after it."""
        model = self.make()
        try:
            self.call(model)
        except Exception as error:
            return error, model
        return None, model


class Absent:
    """A splitter that yields rows which are not there."""

    def split(self, X, y=None):
        yield np.arange(5), np.array([10**6])


def with_one(value, shape=(40, 2)):
    X = np.random.default_rng(0).normal(size=shape)
    X.reshape(-1)[3] = value
    return X


X, Y = product(40)
LABELS = np.where(Y > 0, "up", "down")
X3, Y3 = sequences(40, 5)
FRAME = pd.DataFrame(X, columns=["first", "second"])
ROWS, FUTURE = futures(60)
SERIES = frame(autoregressive(70, 2))
NEW, SERIES = SERIES[60:], SERIES[:60]
PANEL = panel({"a": SERIES, "b": SERIES})
UNKNOWN_CELL = Cell((Node("no_such_op", "x", "h"),), (0,))
STRANGER = Genotype((Branch((UNKNOWN_CELL,), 4, 1, "mixed"),))
WIDE = np.where(X > 0, 1.7e308, -1.7e308)

# -- subjects -------------------------------------------------------------------------------------


def new(make, **parameters):
    return functools.partial(make, **parameters)


@functools.cache
def _fitted(key):
    if key == "regressor":
        return regressor(max_nodes=0).fit(FRAME, Y)
    if key == "sequences":
        return regressor(max_nodes=0).fit(X3, Y3)
    if key == "rows":
        return regressor(max_nodes=0, lookback=6).fit(ROWS, FUTURE)
    if key == "classifier":
        return classifier(max_nodes=0).fit(FRAME, LABELS)
    return linear().fit(SERIES)


def fitted(key):
    return lambda: copy.deepcopy(_fitted(key))


# -- parameters -----------------------------------------------------------------------------------

# What is set, and what the message must hold besides the parameter's name.
IMPOSSIBLE = [
    ("backbone", "dag2", "two_input"),
    ("operations", ["no_such_op"], "no_such_op"),
    ("operations", [], "[]"),
    ("operations", "every", "every"),
    ("initial_genotype", "gruu", "gruu"),
    ("initial_genotype", 3, "3"),
    ("initial_nodes", 0, "0"),
    ("initial_nodes", 1.5, "1.5"),
    ("max_nodes", -1, "-1"),
    ("max_nodes", "many", "many"),
    ("hidden_size", 0, "0"),
    ("hidden_size", 2.5, "2.5"),
    ("n_layers", 0, "0"),
    ("genotype", "no/such/file.json", "no/such/file.json"),
    ("genotype", 7, "7"),
    ("genotype", Genotype.named("gru").to_json(), "Genotype.from_json"),
    ("genotype", "nul\0l", "nul"),
    ("lookback", 0, "0"),
    ("lookback", -3, "-3"),
    ("lookback", "week", "week"),
    ("embedding_size", 0, "0"),
    ("embedding_size", "wide", "wide"),
    ("embedding_size", 4, "lookback"),  # tabular rows are no sequences of codes
    ("segment_length", 0, "0"),
    ("segment_length", "long", "long"),
    ("segment_length", 5, "5"),  # tabular rows have one step
    ("channel_mode", "both", "both"),
    ("window_norm", "first", "first"),
    ("linear_seed", "yes", "yes"),
    ("channels_first", 2, "2"),
    ("mode", "parallel", "parallel"),
    ("growth", "fast", "fast"),
    ("growth", 3, "3"),
    ("pruning", "all", "all"),
    ("relaxation", "hard", "hard"),
    ("edge_choice", "greedy", "greedy"),
    ("arch_schedule", "seldom", "seldom"),
    ("arch_schedule", 2, "2"),
    ("arch_fraction", 0.0, "0.0"),
    ("arch_fraction", 1.0, "1.0"),
    ("arch_fraction", "half", "half"),
    ("arch_order", 0, "0"),
    ("arch_order", 3, "3"),
    ("arch_order", "second", "second"),
    ("arch_regularizer", "l2", "l2"),
    ("arch_regularizer", 0.1, "0.1"),
    ("auxiliary_skip", "sudden", "sudden"),
    ("collapse_watch", "ears", "ears"),
    ("arch_learning_rate", 0.0, "0.0"),
    ("arch_learning_rate", -1.0, "-1.0"),
    ("size_penalty", -1.0, "-1.0"),
    ("size_penalty", np.nan, "nan"),
    ("size_penalty", "small", "small"),
    ("max_params", 0, "0"),
    ("max_params", 1, "1"),  # below the linear seed's size
    ("search_epochs", 0, "0"),
    ("search_epochs", "few", "few"),
    ("max_epochs", 0, "0"),
    ("max_epochs", 2.0, "2.0"),
    ("time_budget", 0, "0"),
    ("time_budget", -5.0, "-5.0"),
    ("time_budget", np.nan, "nan"),
    ("batch_size", 0, "0"),
    ("batch_size", "big", "big"),
    ("learning_rate", 0.0, "0.0"),
    ("learning_rate", np.nan, "nan"),
    ("learning_rate", "fast", "fast"),
    ("weight_decay", -0.1, "-0.1"),
    ("weight_decay", np.nan, "nan"),
    ("dropout", -0.1, "-0.1"),
    ("dropout", 1.5, "1.5"),
    ("dropout", "some", "some"),
    ("early_stopping", "auto", "auto"),
    ("validation_fraction", 0.0, "0.0"),
    ("validation_fraction", 1.0, "1.0"),
    ("validation_fraction", 20, "20"),
    ("validation", "last", "last"),
    ("validation", Absent(), "1000000"),
    ("refit", "never", "never"),
    ("refit_full", "yes", "yes"),
    ("n_models", 0, "0"),
    ("n_models", "many", "many"),
    ("device", 0, "0"),
    ("device", "mps" if torch.cuda.is_available() else "cuda", "'"),
    ("device", "no_such_device", "no_such_device"),
    ("random_state", -1, "-1"),
    ("random_state", "seed", "seed"),
    ("verbose", -1, "-1"),
    ("checkpoint_dir", 3, "3"),
    ("warm_start", "yes", "yes"),
]
# Of the regressor and the forecaster.
IMPOSSIBLE_OF_NUMBERS = [
    ("loss", "mape", "mape"),
    ("channel_gains", "yes", "yes"),
    *(
        ("quantile_levels", levels, "ascend")
        for levels in ([], [0.1, 0.9], [0.5, 0.1], [0.0, 0.5], [0.5, np.nan], ["a"], [[0.5]])
    ),
]
# Parameters that the forecaster lacks, or takes other values for.
OF_SAMPLES = {"embedding_size", "channels_first", "warm_start", "validation"}
OF_FORECASTS = [
    ("lookback", None, "None"),
    ("lookback", [6], r"[6]"),
    ("horizon", 0, "0"),
    ("horizon", 2.5, "2.5"),
    ("horizon", "week", "week"),
    ("freq", "XX", "XX"),
    ("freq", 3, "3"),
    ("missing", "drop", "drop"),
    ("calendar_features", "moon", "moon"),
    ("calendar_features", ["moon"], "moon"),
    ("calendar_features", 3, "3"),
    ("validation", "shuffle", "shuffle"),
]


def _of_parameter(make, name, value, told, data):
    named = "cv" if isinstance(value, Absent) else name
    needed = {"loss": "quantile"} if name == "quantile_levels" else {}
    return Case(
        f"{name}={str(value)[:20]}",
        new(make, **{name: value}, **needed),
        "fit",
        data,
        told=rf"(?s)(?=.*\b{named}\b)(?=.*{_literal(told)})",
    )


def _literal(text):
    return "".join(rf"\{c}" if c in "[].()" else c for c in text)


def _parameters():
    for case in IMPOSSIBLE:
        yield _of_parameter(regressor, *case, (X, Y))
        yield _of_parameter(classifier, *case, (X, LABELS))
        if case[0] not in OF_SAMPLES and case[:2] != ("segment_length", 5):
            yield _of_parameter(_searched, *case, (SERIES,))
    for case in IMPOSSIBLE_OF_NUMBERS:
        yield _of_parameter(regressor, *case, (X, Y))
        yield _of_parameter(_searched, *case, (SERIES,))
    for case in OF_FORECASTS:
        yield _of_parameter(_searched, *case, (SERIES,))
    for weights in ({"up": -1}, {"up": np.nan, "down": 1}, {"up": 0, "down": 0}, "fair", [1, 2]):
        yield Case(
            f"class_weight={weights}",
            new(classifier, class_weight=weights),
            "fit",
            (X, LABELS),
            told="class_weight",
        )
    for channels in ([5], [0, 1], [-1], ["a"], [0.5]):
        yield Case(
            f"target_channels={channels}",
            new(regressor, target_channels=channels),
            "fit",
            (X, Y),
            told=f"target_channels.*{_literal(repr(channels))}",
        )
    for name, rule, told in RULES:
        yield Case(f"{name}={type(rule).__name__}", new(regressor, **{name: rule}), "fit", (X, Y),
                   told=told)  # fmt: skip
    yield Case("a genotype of an unknown operation", new(regressor, genotype=STRANGER), "fit",
               (X, Y), told="operations must be among .*; got 'no_such_op'")  # fmt: skip


def _searched(lookback=6, horizon=3, **parameters):
    """Build a forecaster whose search is short, should one begin."""
    given = {"search_epochs": 1, "max_epochs": 1, "max_nodes": 2, **parameters}
    model = linear()
    return model.set_params(lookback=lookback, horizon=horizon, **given)


RULES = [
    ("growth", PlateauGrowth(patience=0), r"'patience' parameter of PlateauGrowth.* Got 0"),
    ("growth", PeriodicGrowth(period=-1), r"'period' parameter of PeriodicGrowth.* Got -1"),
    ("growth", NorthGrowth(share=-3.0), r"'share' parameter of NorthGrowth.* Got -3"),
    ("growth", GradMaxGrowth(min_gain=2.0), r"'min_gain' parameter of GradMaxGrowth.* Got 2"),
    ("pruning", EffectPruning(n_rounds=0), r"'n_rounds' parameter of EffectPruning.* Got 0"),
    ("pruning", MagnitudePruning(scope="net"), r"'scope' .* MagnitudePruning.* Got 'net'"),
    (
        "relaxation",
        SoftmaxRelaxation(temperature=0.0),
        r"'temperature' parameter of SoftmaxRelaxation.* Got 0",
    ),
    (
        "relaxation",
        ScaledSigmoidRelaxation(final_scale=-1.0),
        r"'final_scale' parameter of ScaledSigmoidRelaxation.* Got -1",
    ),
]

# -- data of fit ----------------------------------------------------------------------------------

WORDS = np.array(["a"] * 40)
DAYS = np.arange(40).astype("M8[D]")
# Name, X, y, parameters, and what the message must hold; for the regressor.
BAD_DATA = [
    ("NaN in X", with_one(np.nan), Y, {}, "X contains NaN"),
    ("infinity in X", with_one(np.inf), Y, {}, "X contains infinity"),
    ("NaN in y", X, np.where(np.arange(40) == 3, np.nan, Y), {}, "y contains NaN"),
    ("infinity in y", X, np.where(np.arange(40) == 3, np.inf, Y), {}, "y contains infinity"),
    ("only NaN in y", X, Y * np.nan, {}, "y contains NaN"),
    ("NaN in 3-D y", X, with_one(np.nan, (40, 3, 2)), {}, "NaN"),
    ("a word in X", [["a", 1.0]] * 40, Y, {}, "could not convert string to float: 'a'"),
    ("a word in y", X, ["a"] * 39 + [1.0], {}, "could not convert string to float: .*'a'"),
    ("words in 3-D", X3, WORDS, {}, "arrays of bytes/strings"),
    ("categories in X", FRAME.assign(second=pd.Categorical(WORDS)), Y, {}, "could not convert"),
    ("missing integers", FRAME.round().astype("Int64").mask(FRAME > 1), Y, {}, "X contains NaN"),
    ("complex X", X + 1j, Y, {}, "Complex data not supported"),
    ("complex y", X, Y + 1j, {}, "Complex data not supported"),
    ("sparse X", sparse.csr_array(X), Y, {}, "[Ss]parse"),
    ("dates in X", DAYS[:, None], Y, {}, "X must hold numbers, not dates .* got datetime64"),
    ("a column of dates", FRAME.assign(second=DAYS), Y, {}, "X must hold numbers, not dates"),
    ("dates in y", X, DAYS, {}, "y must hold numbers, not dates .* got datetime64"),
    ("durations in y", X, DAYS - DAYS[0], {}, "y must hold numbers, .* got timedelta64"),
    ("masked X", np.ma.masked_greater(X, 1.0), Y, {}, r"X must not have masked entries.*got \d+"),
    ("masked y", X, np.ma.masked_greater(Y, 1.0), {}, r"y must not have masked entries.*got \d+"),
    ("a tensor with a gradient", torch.tensor(X, requires_grad=True), Y, {}, "X .* gradient"),
    ("records", np.zeros(40, dtype=[("a", "f8"), ("b", "f8")]), Y, {}, "Cannot cast|dtype"),
    ("names of two kinds", FRAME.set_axis(["a", 1], axis=1), Y, {}, "Feature names"),
    ("no X", None, Y, {}, "Reshape your data"),
    ("a text as X", "abc", Y, {}, "could not convert string to float: 'abc'"),
    ("a dict as X", {"a": [1.0]}, Y, {}, "dict"),
    ("ragged X", [[1, 2], [3]] * 20, Y, {}, "inhomogeneous"),
    ("ragged y", X, [[1, 2], [3]] * 20, {}, "inhomogeneous"),
    ("1-D X", X[:, 0], Y, {}, "Reshape your data"),
    ("4-D X", X3[None], Y3[:1], {}, "dim 4"),
    ("no rows", X[:0], Y[:0], {}, "0 sample"),
    ("no columns", X[:, :0], Y, {}, "0 feature"),
    ("no steps", X3[:, :0], Y3, {}, r"X must not have an empty axis; got shape \(40, 0, 3\)"),
    ("no channels", X3[:, :, :0], Y3, {}, r"X must not have an empty axis; got .*\(40, 5, 0\)"),
    ("no targets", X, np.zeros((40, 0)), {}, "0 feature"),
    ("no horizon", X, np.zeros((40, 0, 2)), {}, r"y .* empty axis; got shape \(40, 0, 2\)"),
    ("one row", X[:1], Y[:1], {}, "1 sample"),
    ("one sequence", X3[:1], Y3[:1], {}, "1 sample"),
    ("unequal lengths", X, Y[:39], {}, r"inconsistent numbers of samples: \[40, 39\]"),
    ("unequal lengths in 3-D", X3, Y3[:39], {}, r"inconsistent numbers of samples: \[40, 39\]"),
    ("no y", X, None, {}, "requires y to be passed"),
    ("a number as y", X, 3.0, {}, "at least 1 dimension|1-D|1d"),
    ("a number as y in 3-D", X3, 3.0, {}, r"y must be \(n_samples,\).* got 0 axes"),
    ("4-D y", X, np.zeros((40, 2, 2, 2)), {}, "dim 4"),
    ("X at the largest number", WIDE, Y, {}, r"X must be within \+-1e\+307; got .* 1\.7e\+308"),
    ("y at the largest number", X, WIDE[:, 0], {}, r"y must be within \+-1e\+307; got"),
    (
        "a validation part that is far out",
        np.where(np.arange(40)[:, None] < 39, X, 1e40),
        Y,
        {"validation": "chronological"},
        r"X must be within 1e\+30 standard deviations .* got a value",
    ),
    ("as many rows as the lookback", X, Y, {"lookback": 40}, "rows than lookback=40; got 40"),
    ("fewer rows than the lookback", X, Y, {"lookback": 99}, "rows than lookback=99; got 40"),
    ("another lookback than the steps", X3, Y3, {"lookback": 4}, "lookback .* 5 steps.* got 4"),
    ("longer segments than the steps", X3, Y3, {"segment_length": 6}, "segment_length.* got 6"),
    ("a hole in a sequence", with_one(np.nan, (40, 5, 3)), Y3, {}, "NaN"),
    ("infinity in a sequence", with_one(np.inf, (40, 5, 3)), Y3, {}, "infinity"),
    (
        "a sequence without steps",
        np.where(np.arange(40)[:, None, None] == 2, np.nan, X3),
        Y3,
        {},
        "at least one step",
    ),
]
# The name, the labels, and what the message must hold.
BAD_LABELS = [
    ("one class", np.zeros(40), "at least two classes.* got one class, .0"),
    ("one word", ["only"] * 40, "at least two classes.* got one class, .*only"),
    ("numbers", Y, "continuous"),
    ("NaN", np.where(Y > 0, np.nan, 1.0), "y contains NaN"),
    ("two columns", np.stack([Y > 0, Y > 1], axis=1), r"y should be a 1d array.*\(40, 2\)"),
    ("nothing", [None] * 40, "NoneType|None|Unknown label type"),
    ("two kinds", np.array([1, "a"] * 20, dtype=object), "Unknown label type"),
    ("none at all", None, "requires y to be passed"),
    ("too few", LABELS[:39], r"inconsistent numbers of samples: \[40, 39\]"),
]
BAD_WEIGHTS = [
    ("zeros", np.zeros(40), "sample_weight must not be zero|non-zero"),
    ("a negative one", np.r_[-1, np.ones(39)], "Negative values.*sample_weight"),
    ("NaN", np.full(40, np.nan), "sample_weight contains NaN"),
    ("infinity", np.full(40, np.inf), "sample_weight contains infinity"),
    ("too few", np.ones(39), r"sample_weight.*39.*40"),
    ("two columns", np.ones((40, 2)), "1D|1-D|2D"),
    ("words", WORDS, "could not convert"),
    ("complex ones", np.full(40, 1j), "Complex data"),
]


def _data():
    for name, X_bad, y_bad, parameters, told in BAD_DATA:
        yield Case(name, new(regressor, **parameters), "fit", (X_bad, y_bad), told=told)
        if y_bad is Y and not parameters:
            yield Case(name, classifier, "fit", (X_bad, LABELS), told=told)
    for name, labels, told in BAD_LABELS:
        yield Case(f"labels: {name}", classifier, "fit", (X, labels), told=told)
        yield Case(f"labels of sequences: {name}", classifier, "fit", (X3, labels), told=told)
    for make, y in ((regressor, Y), (classifier, LABELS)):
        for name, weights, told in BAD_WEIGHTS:
            yield Case(f"weights: {name}", make, "fit", (X, y, weights), told=f"(?s){told}")


# -- fitted regressors and classifiers ------------------------------------------------------------

# What predict gets, and what the message must hold.
UNLIKE_FIT = [
    ("columns in another order", FRAME[["second", "first"]], "same order"),
    ("a renamed column", FRAME.rename(columns={"first": "1st"}), "unseen at fit time"),
    ("a missing column", FRAME[["first"]], "missing"),
    ("one column", X[:, :1], "X has 1 features, but .* expecting 2"),
    ("one axis", X[:, 0], "Reshape your data"),
    ("three axes", np.zeros((4, 5, 2)), "2-D"),
    ("NaN", FRAME * np.nan, "NaN"),
    ("infinity", FRAME + np.inf, "infinity"),
    ("no rows", FRAME[:0], "0 sample"),
    ("dates", FRAME.assign(second=DAYS), "X must hold numbers, not dates"),
    ("words", FRAME.astype(str) + "a", "could not convert"),
    ("complex numbers", X + 1j, "Complex data"),
    ("sparse rows", sparse.csr_array(X), "[Ss]parse"),
    ("nothing", None, "Reshape your data"),
    ("rows far out", FRAME * 1e40, r"X must be within 1e\+30 standard deviations"),
]
UNLIKE_SEQUENCES = [
    ("rows", X3[:, 0], "3-D"),
    ("two channels", X3[:, :, :2], "X has 2 features.* expecting 3"),
    ("NaN in a step", with_one(np.nan, (4, 5, 3)), "NaN"),
    ("infinity in a step", with_one(np.inf, (4, 5, 3)), "infinity"),
    ("no sequences", X3[:0], "0 sample"),
    ("no steps", np.full((2, 5, 3), np.nan), "at least one step"),
    ("steps far out", X3 * 1e40, r"X must be within 1e\+30 standard deviations"),
]
BAD_TRUTHS = [
    ("too few", Y[:39], "inconsistent numbers of samples"),
    ("NaN", Y * np.nan, "y contains NaN"),
    ("nothing", None, r"y must be \(n_samples,\).*got None"),
    ("two columns", np.stack([Y, Y], axis=1), r"y must have the shape .*got \(40, 2\)"),
    ("words", WORDS, "strings"),
]


def _later_calls():
    for name, given, told in UNLIKE_FIT:
        for key, methods in (
            ("regressor", ("predict", "predict_quantiles")),
            ("classifier", ("predict", "predict_proba", "decision_function")),
        ):
            for method in methods:
                yield Case(name, fitted(key), method, (given,), told=f"(?s){told}")
    for name, given, told in UNLIKE_SEQUENCES:
        yield Case(f"sequences: {name}", fitted("sequences"), "predict", (given,),
                   told=f"(?s){told}")  # fmt: skip
    yield Case("another loss", fitted("regressor"), "predict_quantiles", (FRAME,),
               told="predict_quantiles needs loss='quantile' in fit; got 'mse'")  # fmt: skip
    for name, truth, told in BAD_TRUTHS:
        yield Case(f"y: {name}", fitted("regressor"), "score", (FRAME, truth), told=told)
        yield Case(f"y: {name}", fitted("regressor"), "partial_fit", (FRAME, truth), told=told)
    for axes in ((0, 2, 1), (0, 1)):
        truth = FUTURE.transpose(axes) if len(axes) == 3 else FUTURE[:, :2]
        yield Case(f"y of shape {truth.shape}", fitted("rows"), "score", (ROWS, truth),
                   told=r"y must have the shape \(n_samples, 3, 2\) .*got")  # fmt: skip
    for name, weights, told in BAD_WEIGHTS:
        for method in ("score", "partial_fit"):
            yield Case(f"weights: {name}", fitted("regressor"), method, (FRAME, Y, weights),
                       told=f"(?s){told}")  # fmt: skip
        yield Case(f"weights: {name}", fitted("classifier"), "partial_fit", (FRAME, LABELS),
                   {"sample_weight": weights}, told=f"(?s){told}")  # fmt: skip
        yield Case(f"weights: {name}", fitted("classifier"), "score", (FRAME, LABELS, weights),
                   told=f"(?s){told}")  # fmt: skip
    yield from _later_labels()
    for make in (regressor, classifier):
        for method in ("predict", "predict_proba", "decision_function", "predict_quantiles"):
            if hasattr(make(), method):
                yield Case("before fit", make, method, (X,), error=NotFittedError, told="fit")
        yield Case("before fit", make, "score", (X, LABELS), error=NotFittedError, told="fit")
        yield Case("before fit", make, "to_onnx", ("no.onnx",), error=NotFittedError, told="fit")


def _later_labels():
    for name, classes, told in (
        ("none", None, "classes must be passed on the first call .* got None"),
        ("a word", "up", "classes must be a 1-D array of labels; got 'up'"),
        ("one", ["up"], r"classes must hold at least two labels.* got \['up'\]"),
        ("NaN", [0.0, np.nan], r"classes .* no NaN or infinity; got \[0.0, nan\]"),
        ("others", ["up", "side"], r"classes=\['side', 'up'\]; got \['down'\] too"),
    ):
        yield Case(f"classes: {name}", classifier, "partial_fit", (X, LABELS),
                   {"classes": classes}, told=told)  # fmt: skip
    for name, labels, told in (
        ("new", ["side"] * 40, r"y must hold labels from classes=.* got \['side'\] too"),
        ("NaN", np.full(40, np.nan), "y contains NaN"),
        ("too few", LABELS[:39], "inconsistent numbers of samples"),
        ("none", None, "y cannot be None|requires y|y should be a 1d array"),
        ("two columns", np.stack([LABELS, LABELS], axis=1), "y should be a 1d array"),
    ):
        yield Case(f"labels: {name}", fitted("classifier"), "partial_fit", (FRAME, labels),
                   told=told)  # fmt: skip
    yield Case("labels: too few", fitted("classifier"), "score", (FRAME, LABELS[:39]),
               told="inconsistent numbers of samples")  # fmt: skip
    yield Case("labels: numbers", fitted("classifier"), "score", (FRAME, Y > 0),
               told="Mix of label input types")  # fmt: skip


# -- the forecaster -------------------------------------------------------------------------------

MIXED_ZONES = pd.Index(
    [t.tz_localize("UTC" if i % 2 else "Europe/Paris") for i, t in enumerate(days(60))],
    dtype=object,
)
# What is bad in Y, whichever method gets it; {Y} is what the method calls it.
BAD_SERIES = [
    ("nothing", None, "{Y} must be a DataFrame .* got builtins.NoneType"),
    ("a text", "abc", "{Y} must be a DataFrame .* got builtins.str"),
    ("a dict", {"a": [1.0]}, "{Y} must be a DataFrame .* got builtins.dict"),
    ("a sparse matrix", sparse.csr_array(SERIES.to_numpy()), "{Y} must be a DataFrame"),
    ("no rows", SERIES[:0], r"{Y} must have at least one row .* got shape \(0, 2\)"),
    ("no columns", SERIES[[]], r"{Y} must have at least one row .* got shape \(60, 0\)"),
    ("NaN", SERIES.mask(SERIES > 2), "{Y} must not have missing values unless missing='mask'"),
    ("infinity", SERIES.replace(SERIES.iloc[3, 0], np.inf), "{Y} must be finite; got infinity"),
    ("objects", SERIES.astype(object), "{Y} must hold real numbers; got dtype object"),
    ("words", SERIES.astype(str), "{Y} must hold real numbers; got dtype"),
    ("complex numbers", SERIES + 1j, "{Y} must hold real numbers; got dtype complex128"),
    ("booleans", SERIES > 0, "{Y} must hold real numbers; got dtype bool"),
    ("dates", SERIES.assign(y1=days(60)), "{Y} must hold real numbers; got dtype datetime64"),
    ("sparse columns", SERIES.astype(pd.SparseDtype(float)), "{Y} must be dense"),
    ("rows in reverse", SERIES[::-1], "{Y}'s index must be in increasing order"),
    ("a row twice", SERIES.iloc[np.r_[0:30, 29:59]], "{Y}'s index must not repeat a label"),
    ("a hole", SERIES.drop(SERIES.index[20:23]), "{Y} must not have gaps at frequency 'D'"),
    ("a row without a time", SERIES.set_axis(days(60).where(np.arange(60) != 4)), "missing label"),
    ("names as index", SERIES.set_axis(days(60).astype(str)), "pd.to_datetime"),
    ("fractions as index", SERIES.set_axis(np.arange(60) * 1.5), "index of integers; got"),
    ("mixed time zones", SERIES.set_axis(MIXED_ZONES), "mixed time zones .Europe/Paris, UTC."),
    ("columns of one name", SERIES.set_axis(["a", "a"], axis=1), "must not repeat names"),
    ("numbers that overflow", SERIES * 1e308, r"{Y} must be (within \+-1e\+307|finite)"),
]
# What is besides bad in Y after a fit.
UNLIKE_SERIES = [
    ("a missing column", SERIES[["y0"]], r"{Y} must have the columns that fit saw, 2 .* got 1"),
    ("a renamed column", SERIES.rename(columns={"y0": "z"}), "{Y} must have the columns"),
    ("a further column", SERIES.assign(z=1.0), "{Y} must have the columns .* got 3"),
    ("an array", SERIES.to_numpy(), "{Y} must be like what fit saw, .* got an array"),
    ("a time zone", SERIES.tz_localize("UTC"), "{Y}'s index must hold dates without a time zone"),
]
PROBABILITIES = [
    (0, r"must be in \(0, 1\); got 0"),
    (1.5, r"must be in \(0, 1\); got 1.5"),
    (np.nan, r"must be in \(0, 1\); got nan"),
    (None, r"must be in \(0, 1\); got nan"),
    ("most", r"must be one or more numbers in \(0, 1\); got 'most'"),
    ([], r"must be one or more numbers in \(0, 1\); got \[\]"),
    ([0.5, 0.5], "must not hold a probability twice"),
]
BAD_BACKTESTS = [
    *(("initial", value, "initial must be an integer") for value in (0, -1, 1.5, "x", True)),
    ("initial", 60, "initial must leave horizon=3 rows to forecast; got 60"),
    ("initial", "2030-01-01", "initial must leave horizon=3 rows to forecast; got '2030-01-01'"),
    *(("step", value, "step must be an integer of at least 1") for value in (0, 1.5, "x")),
    *(("horizon", value, "horizon must be an integer of at least 1") for value in (0, "x")),
    ("horizon", 100, "initial must leave horizon=100 rows"),
    *(("refit", value, "refit must be") for value in ("x", -1, 0, 1.5, None)),
    *(("coverage", value, r"coverage must be in \(0, 1\)") for value in (0, 1.2, "x", None)),
]


def _forecasts():
    for name, Y_bad, told in BAD_SERIES:
        yield Case(name, linear, "fit", (Y_bad,), told=told.format(Y="Y"))
        yield Case(name, linear, "backtest", (Y_bad,), told=told.format(Y="Y"))
    for name, Y_bad, told in (*BAD_SERIES, *UNLIKE_SERIES):
        for method in ("predict", "predict_interval", "predict_quantiles"):
            if Y_bad is None:  # the rows last known
                continue
            yield Case(name, fitted("forecaster"), method, (), {"Y": Y_bad},
                       told=told.format(Y="Y"))  # fmt: skip
        yield Case(name, fitted("forecaster"), "score", (Y_bad,), told=told.format(Y="Y"))
        yield Case(name, fitted("forecaster"), "update", (Y_bad,), told=told.format(Y="Y_new"))
    for steps in (0, -1, 1.5, "x", np.nan, True, [1]):
        for method in ("predict", "predict_interval", "predict_quantiles"):
            yield Case(f"horizon={steps}", fitted("forecaster"), method, (steps,),
                       told="horizon must be an integer of at least 1 step; got")  # fmt: skip
    for value, told in PROBABILITIES:
        for method, name in (("predict_interval", "coverage"), ("predict_quantiles", "alpha")):
            yield Case(f"{name}={value}", fitted("forecaster"), method, (), {name: value},
                       told=f"{name} {told}")  # fmt: skip
    for name, value, told in BAD_BACKTESTS:
        yield Case(f"{name}={value}", linear, "backtest", (SERIES,), {name: value}, told=told)
    yield from _rows_and_covariates()
    for method, args in (
        ("predict", ()),
        ("predict_interval", ()),
        ("predict_quantiles", ()),
        ("update", (SERIES,)),
        ("score", (SERIES,)),
        ("to_onnx", ("no.onnx",)),
        ("history_", ()),
        ("cutoff", ()),
    ):
        yield Case("before fit", linear, method, args, error=NotFittedError, told="not fitted yet")


def _rows_and_covariates():
    few = "Y must hold at least 2 windows"
    yield Case("one row", linear, "fit", (SERIES[:1],), told=f"{few} .* got 0 in 1 rows")
    yield Case("a horizon longer than the data", new(linear, horizon=70), "fit", (SERIES,),
               told=f"{few} of lookback=6 known and horizon=70 .* got 0 in 60 rows")  # fmt: skip
    yield Case("a lookback longer than the data", new(linear, lookback=70), "fit", (SERIES,),
               error=None)  # fmt: skip
    seen = fitted("forecaster")
    yield Case("rows behind a gap", seen, "update", (NEW[3:],), told="Y_new must begin right after")
    yield Case("rows before", seen, "update", (SERIES[:10].shift(-99, freq="D"),),
               told="Y_new must not end before the known rows begin")  # fmt: skip
    yield Case("known rows again", seen, "update", (pd.concat([SERIES[50:], NEW]),), error=None)
    yield Case("few rows to learn from", seen, "update", (NEW[:1],), {"refit": True},
               told="Y_new, .* must hold at least 2 windows .* got 1")  # fmt: skip
    yield Case("refit='yes'", seen, "update", (NEW,), {"refit": "yes"},
               told="refit must be a boolean; got 'yes'")  # fmt: skip
    yield Case("few rows", seen, "score", (NEW[:2],), told="Y must hold horizon=3 rows .* got 2")
    for method, args in (("predict", ()), ("update", (NEW,)), ("score", (NEW,))):
        yield Case("unasked covariates", seen, method, args, {"X": SERIES},
                   told="X must be None, since fit had no covariates")  # fmt: skip
        yield Case("unasked static covariates", seen, method, args, {"static": SERIES},
                   told="static must be None, since fit had none")  # fmt: skip
    for name, covariates, told in (
        ("too few", SERIES[:30], "X must have a row for every known row; 30 are missing"),
        ("an array", SERIES.to_numpy(), "X must be a pandas object"),
        ("words", SERIES.astype(str), "X must hold real numbers; got dtype"),
        ("NaN", SERIES * np.nan, "X must not have missing values"),
        ("infinity", SERIES * np.inf, "X must be finite"),
        ("rows twice", SERIES.iloc[np.r_[0:60, 29:59]], "X must not have a row twice"),
    ):
        yield Case(f"covariates: {name}", linear, "fit", (SERIES, covariates), told=told)
    for name, Y_bad, static, told in (
        ("no panel", SERIES, pd.DataFrame({"s": [1.0]}), "static needs a panel"),
        ("one series", PANEL, pd.DataFrame({"s": [1.0]}, ["a"]), "got none for 'b'"),
        ("NaN", PANEL, pd.DataFrame({"s": [1.0, np.nan]}, ["a", "b"]), "static .* got nan"),
        ("an array", PANEL, np.ones((2, 1)), "static must be a DataFrame"),
        ("a series twice", PANEL, pd.DataFrame({"s": [1.0] * 3}, list("abb")), "twice; got 'b'"),
    ):
        yield Case(f"static: {name}", linear, "fit", (Y_bad,), {"static": static}, told=told)
    yield Case("time as the first level", linear, "fit", (PANEL.swaplevel(),),
               told="time as its last level")  # fmt: skip
    yield Case("series twice", linear, "fit", (pd.concat([PANEL, PANEL]),),
               told="increasing order within a series")  # fmt: skip


CASES = [*_parameters(), *_data(), *_later_calls(), *_forecasts()]


if __name__ == "__main__":
    for case in CASES:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            error, _ = case.outcome()
        told = "works" if error is None else f"{type(error).__name__}: {error}"
        print(f"{case.title}\n    {' '.join(told.split())[:200]}")
