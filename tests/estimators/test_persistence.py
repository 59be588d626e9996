"""Copies and pickles predict the same bytes, and hold no more than that takes."""

import copy
import io
import pickle
import pickletools

import joblib
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from tests.small import (
    MAKERS,
    SEARCH,
    data_for,
    futures,
    predictions_in_a_fresh_process,
    product,
    regressor,
    sequences,
)

pytestmark = pytest.mark.usefixtures("short_epochs")


@pytest.mark.parametrize("make", MAKERS)
def test_copies_and_pickles_predict_the_same_bytes(make, tmp_path):
    X, y = data_for(make)
    model = make(**SEARCH).fit(X, y)
    expected = model.predict(X).tobytes()
    joblib.dump(model, tmp_path / "model.joblib")
    for twin in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        copy.copy(model),
        joblib.load(tmp_path / "model.joblib"),
        clone(model).fit(X, y),
    ):
        assert twin.predict(X).tobytes() == expected
        assert twin.genotype_ == model.genotype_
        assert str(twin.search_report_.moves) == str(model.search_report_.moves)
        assert joblib.hash(twin.get_params()) == joblib.hash(model.get_params())


@pytest.mark.slow
def test_a_pickle_predicts_the_same_bytes_in_a_fresh_process(tmp_path):
    frame, y = futures()
    model = regressor(lookback=6, genotype="lstm", linear_seed=False).fit(frame, y)
    follows = futures(140)[0].iloc[120:]
    for X in (frame, follows):
        assert predictions_in_a_fresh_process(model, X, tmp_path) == model.predict(X).tobytes()


def test_a_clone_is_not_fitted_and_its_copy_is():
    X, y = product()
    model = regressor().fit(X, y)
    assert not [name for name in vars(clone(model)) if name.endswith("_")]
    assert vars(copy.deepcopy(model)).keys() == vars(model).keys()


@pytest.mark.parametrize("make", MAKERS)
def test_the_state_holds_no_torch_objects(make):
    X, y = data_for(make)
    model = make(**SEARCH).fit(X, y)
    mentioned = [
        str(argument)
        for _, argument, _ in pickletools.genops(pickle.dumps(model))
        if isinstance(argument, str)
    ]
    assert not [name for name in mentioned if name.split(".")[0] == "torch"]
    assert not [name for name in mentioned if "lambda" in name]
    state = model.__getstate__()
    assert not [name for name, value in state.items() if isinstance(value, torch.nn.Module)]


@pytest.mark.parametrize("kind", ["tabular", "sequences", "rows", "frame"])
def test_a_pickle_does_not_grow_with_the_rows(kind):
    sizes = []
    for n in (100, 800):
        if kind == "tabular":
            X, y = product(n)
        elif kind == "sequences":
            X, y = sequences(n)
        else:
            frame, y = futures(n)
            X = frame if kind == "frame" else frame.to_numpy()
        lookback = 6 if kind in ("rows", "frame") else None
        model = regressor(lookback=lookback, max_nodes=0)
        sizes.append(len(pickle.dumps(model.fit(X, y))))
    assert abs(sizes[1] - sizes[0]) < 200


def test_only_the_last_lookback_less_one_rows_are_kept():
    frame, y = futures()
    frame = frame.set_axis(pd.date_range("2024", periods=len(frame), freq="h"))
    model = regressor(lookback=6, max_nodes=0).fit(frame, y)
    assert len(model._trailing.rows) == 5
    held = io.BytesIO(pickle.dumps(model)).getvalue()
    row = model._x_scaler.transform(frame.to_numpy())
    assert row[-1].tobytes() in held
    assert row[-6].tobytes() not in held
    assert frame.to_numpy()[50].tobytes() not in held


@pytest.mark.parametrize("make", MAKERS)
def test_predict_leaves_the_estimator_as_it_was(make):
    X, y = data_for(make)
    model = make().fit(X, y)
    before, held = vars(model).copy(), pickle.dumps(model)
    model.predict(X)
    model.score(X, y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    assert pickle.dumps(model) == held


def test_the_module_is_ready_to_use():
    X, y = product()
    model = regressor(genotype="product").fit(X, y)
    assert not model.module_.training
    assert not any(p.requires_grad for p in model.module_.parameters())
    assert {p.dtype for p in model.module_.parameters()} == {torch.float64}
