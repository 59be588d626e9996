"""A season is as long as the calendar makes it, whichever day its months begin and end on."""

import pandas as pd
import pytest

from sknas.forecasting._seasons import season_length


@pytest.mark.parametrize(
    ("freqs", "season"),
    [
        (["M", "MS", "ME", "BMS", "BME", "CBMS", "CBME"], 12),
        (["2M", "2MS", "2BME"], 6),
        (["Q-DEC", "QS-JAN", "QE-DEC", "BQS-JAN", "BQE-DEC", "BQE-FEB"], 4),
        (["Y-DEC", "YS-JAN", "YE-DEC", "BYS-JAN", "BYE-DEC"], 1),
        (["W-SUN", "W-TUE"], 52),
        (["B", "C"], 5),
        (["h"], 24),
        (["SMS-15", "WOM-3FRI", ""], 1),
    ],
)
def test_a_year_has_as_many_months_of_business_as_of_the_calendar(freqs, season):
    assert [season_length(freq) for freq in freqs] == [season] * len(freqs)


@pytest.mark.parametrize(
    "freq", ["MS", "ME", "BMS", "BME", "2BMS", "QS-JAN", "QE-DEC", "BQS-JAN", "BQE-DEC"]
)
def test_a_season_of_months_is_the_steps_of_a_year(freq):
    index = pd.date_range("2020-12-01", "2023-02-01", freq=freq)
    assert season_length(index.freqstr) == (index.year == index[2].year + 1).sum()
