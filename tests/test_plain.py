"""What is taken apart is plain, and what is made again of it is what it was."""

import datetime
import json
import pickle
import zoneinfo

import numpy as np
import pandas as pd
import pytest

import sknas.search
import sknas.supernet
from sknas import Genotype, GrowingDARTSRegressor
from sknas._plain import from_plain, to_plain
from sknas.edits import AddBranch
from sknas.search import ArchRegularizer, ArchSchedule, CollapseWatch, GrowthRule, PruningRule
from sknas.supernet import AuxiliarySkip, EdgeChoice, Relaxation
from sknas.windows import Scaler
from tests.small import normal
from tests.tiny import members

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
HOURS = pd.date_range("2024-03-30", periods=60, freq="h", tz=BERLIN, name="time")
INDEXES = [
    HOURS,
    HOURS[::-2],
    HOURS[[3, 1, 1]],
    pd.date_range("1700", periods=3, freq="MS", unit="s"),
    pd.DatetimeIndex(["2024-01-01", None]),
    pd.date_range("2024", periods=2, tz=datetime.timezone(datetime.timedelta(hours=2))),
    pd.period_range("2024-01", periods=4, freq="Q-NOV", name=("a", 1)),
    pd.timedelta_range("1h", periods=3, freq="90min"),
    pd.RangeIndex(5, -5, -3, name="row"),
    pd.Index([1.5, np.nan, 2.0]),
    pd.Index([2, 1], dtype="int32", name=0),
    pd.Index(["a", "b", None]),
    pd.Index(["a", 1, None, (2, "c")], dtype=object, tupleize_cols=False),
    pd.Index([True, False]),
    pd.Index([1, None], dtype="Int64"),
    pd.CategoricalIndex(["x", "y", "x"], categories=["y", "x"], ordered=True),
    pd.MultiIndex.from_product([["b", "a"], HOURS[:2]], names=["shop", None]),
    pd.MultiIndex.from_tuples([], names=["shop", "time"]),
]
TABLES = [
    pd.DataFrame({"a": [1, 2], "b": ["x", None], "t": HOURS[:2]}, index=[True, False]),
    pd.DataFrame(normal(3, 2), columns=["same", "same"]),
    pd.DataFrame(index=HOURS[:2]),
    pd.DataFrame(columns=["epoch", "phase"]),
]
MOMENTS = [
    pd.Timestamp("2024-10-27 02:30", tz="UTC").tz_convert(BERLIN),
    pd.Timestamp("2024-10-27 00:30", tz="UTC").tz_convert(BERLIN),  # the same on the clock
    pd.Timestamp("1700-01-01").as_unit("s"),
    pd.Period("2024-02", "M"),
    pd.Timedelta("3 days 1ns"),
    pd.offsets.BusinessDay(),
    pd.offsets.QuarterEnd(2, startingMonth=2),
    pd.offsets.Hour(6),
    datetime.UTC,
    BERLIN,
]
DATA = [
    None,
    (1, 2.5, "a", b"\x00", [True, {}]),
    {"a": {1: "one", "1": "other", None: (2,)}},
    {"sknas.type": "a name that means something here", "b": Genotype()},
    Genotype.named("lstm", n_layers=2),
    {(0, "x"): Genotype.named("gru")},
    [AddBranch(Genotype.named("gru").branches[0])],
]


def is_plain(value):
    """Say whether JSON could hold a value, of arrays their numbers."""
    if isinstance(value, np.ndarray):
        return value.dtype != object
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(is_plain, value.values()))
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str, bytes)


def again(value):
    plain = to_plain(value)
    assert is_plain(plain)
    return from_plain(plain)


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: type(index).__name__)
def test_an_index_comes_back(index):
    found = again(index)
    pd.testing.assert_index_equal(found, index, exact=True, check_names=True)
    assert getattr(found, "freq", None) == getattr(index, "freq", None)


@pytest.mark.parametrize("table", TABLES, ids=range(len(TABLES)))
def test_a_table_comes_back(table):
    pd.testing.assert_frame_equal(again(table), table)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_moment_comes_back(moment):
    found = again(moment)
    assert found == moment
    assert type(found) is type(moment)
    assert str(found) == str(moment)


@pytest.mark.parametrize("value", [pd.NaT, pd.NA], ids=str)
def test_what_is_missing_comes_back(value):
    assert again(value) is value


@pytest.mark.parametrize("value", DATA, ids=range(len(DATA)))
def test_data_come_back(value):
    assert again(value) == value


def test_arrays_are_not_copied():
    scaler = Scaler(normal(3), normal(3) ** 2)
    found = again(scaler)
    assert found.center is scaler.center
    assert found.scale is scaler.scale


FAMILIES = [GrowthRule, PruningRule, ArchRegularizer, ArchSchedule, CollapseWatch]
RULES = [rule for family in FAMILIES for rule in members(family, sknas.search)]
RULES += [
    rule
    for family in (Relaxation, EdgeChoice, AuxiliarySkip)
    for rule in members(family, sknas.supernet)
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_comes_back(rule):
    found = again(rule())
    assert type(found) is rule
    assert str(found.get_params()) == str(rule().get_params())


def test_what_belongs_to_others_stays_what_it_is():
    class Own(GrowthRule):
        def propose(self, state):
            return ()

    fitted = GrowingDARTSRegressor(max_nodes=0).fit(normal(20, 2), normal(20))
    for value in (Own(), datetime.date(2024, 1, 1), pd.DateOffset(days=1, hours=2), fitted, int):
        assert to_plain(value) is value
        assert from_plain(value) is value


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "os.system",
        "subprocess.Popen",
        "pandas.eval",
        "pandas.read_pickle",
        "sknas.windows.scaling.np.load",
        "sknas.windows.scaling.fit_scaler",
        "sknas.training.nets.NeuralNet",
        "sknas.nothing.There",
        "sknas.windows.scaling.Missing",
        "sknas.derived.frozen.FrozenNetwork",
        "sknas.estimators.regressor.BaseEstimator",
        "sknas..Scaler",
        "",
        None,
    ],
)
def test_a_file_names_no_code_but_the_data_of_this_package(name):
    with pytest.raises(ValueError, match="types in a file must be of this version of sknas; got"):
        from_plain({"a": [{"sknas.type": name}]})


def test_values_of_a_file_are_checked_as_those_of_a_user_are():
    plain = json.loads(json.dumps(to_plain(Genotype.named("gru"))))
    plain["branches"][0]["hidden_size"] = -1
    with pytest.raises(ValueError, match="hidden_size must be"):
        from_plain(plain)


def test_the_same_object_is_taken_apart_to_the_same_bytes():
    genotype = Genotype.named("lstm")
    assert pickle.dumps(to_plain(genotype)) == pickle.dumps(to_plain(again(genotype)))


def test_a_zone_that_names_a_file_is_refused(tmp_path):
    crafted = {"sknas.type": "tzinfo", "maker": "pandas", "name": f"dateutil/{tmp_path}"}
    with pytest.raises(ValueError, match="a zone must not be that of a file"):
        from_plain(crafted)
