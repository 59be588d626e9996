"""Without sktime its adapter says what to install."""

import importlib
import sys

import pytest

MODULE = "sknas.forecasting.adapters"


def test_without_sktime_the_import_names_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sktime"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sktime", None)  # as if it were not there
    with pytest.raises(ImportError, match=r"pip install 'sknas\[sktime\]'"):
        importlib.import_module(MODULE)
