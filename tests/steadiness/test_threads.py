"""What several threads do with estimators at once is what one does in turn."""

import pytest

from tests.steady import CASES, in_threads

pytestmark = pytest.mark.usefixtures("tiny_epochs")
every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_eight_threads_predict_the_same_bytes_with_one_estimator(name):
    case = CASES[name]
    model = case.fitted()
    expected = case.told(model).tobytes()

    def predict_often():
        return {case.told(model).tobytes() for _ in range(10)}

    assert in_threads([predict_often] * 8) == [{expected}] * 8


@every_case
def test_a_fit_and_predictions_at_the_same_time_are_right(name):
    case = CASES[name]
    other = CASES["classifier" if name == "regressor" else "regressor"]
    model = other.fitted()
    expected = case.digest(case.fitted()), other.told(model).tobytes()

    def predict_often():
        return {other.told(model).tobytes() for _ in range(40)}

    found, told = in_threads([lambda: case.digest(case.fitted()), predict_often])
    assert (found, told) == (expected[0], {expected[1]})


def test_fits_of_all_estimators_at_once_find_what_each_finds_alone():
    alone = [case.digest(case.fitted()) for case in CASES.values()]
    works = [lambda case=case: case.digest(case.fitted()) for case in CASES.values()]
    assert in_threads(works) == alone
