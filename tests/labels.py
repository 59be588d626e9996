"""Compare labels of rows, whether or not an index knows its frequency."""

import pandas as pd
from pandas.testing import assert_index_equal


def assert_same_labels(found, expected, exact=True):
    assert_index_equal(_without_freq(found), _without_freq(expected), exact=exact)


def _without_freq(index):
    return index._with_freq(None) if isinstance(index, pd.DatetimeIndex) else index
