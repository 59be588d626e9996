"""`partial_fit` of a classifier: all classes are told at first, and samples may lack some."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.small import classifier, data_for, normal

pytestmark = pytest.mark.usefixtures("short_epochs")


def state_bytes(model):
    weights = [value.numpy().tobytes() for value in model.module_.state_dict().values()]
    return weights, model.genotype_.to_json()


def test_the_first_call_of_a_classifier_is_a_fit():
    X, y = data_for(classifier)
    first, fitted = classifier().partial_fit(X, y, classes=[True, False]), classifier().fit(X, y)
    assert state_bytes(first) == state_bytes(fitted)
    assert_array_equal(first.classes_, fitted.classes_)


def three_classes(seed):
    X = normal(150, 2, seed=seed)
    return X, np.array(["left", "middle", "right"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def test_a_class_that_the_first_call_lacked_is_learned_later():
    (X, y), (X_new, y_new) = three_classes(0), three_classes(1)
    model = classifier(max_nodes=0)
    known = y != "right"
    model.partial_fit(X[known], y[known], classes=["right", "middle", "left"])
    assert_array_equal(model.classes_, ["left", "middle", "right"])
    assert model.predict_proba(X).shape == (150, 3)
    assert model.score(X_new[y_new == "right"], y_new[y_new == "right"]) == 0.0
    before = model.score(X_new, y_new)
    model.partial_fit(X, y)
    assert model.score(X_new, y_new) > max(0.9, before)


def test_one_class_is_enough_for_a_first_call():
    X, y = three_classes(0)
    model = classifier(max_nodes=0)
    model.partial_fit(X[y == "left"], y[y == "left"], classes=np.unique(y))
    assert set(model.predict(X)) == {"left"}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "classes must be passed on the first call"),
        (["left"], "classes must hold at least two"),
        (["left", "right"], "y must hold labels from classes"),
    ],
)
def test_the_first_call_checks_its_classes(classes, message):
    model = classifier()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*three_classes(0), classes=classes)
    assert not hasattr(model, "classes_")


def test_later_calls_may_repeat_the_classes_but_not_change_them():
    X, y = three_classes(0)
    model = classifier(max_nodes=0).fit(X, y)
    model.partial_fit(X, y, classes=["right", "left", "middle"])
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        model.partial_fit(X, y, classes=["left", "right"])
    with pytest.raises(ValueError, match=r"y must hold labels from classes.*'up'"):
        model.partial_fit(X, np.where(y == "left", "up", y))


@pytest.mark.parametrize("class_weight", ["balanced", {"left": 5.0, "middle": 1.0, "right": 1.0}])
def test_class_weights_enter_every_call(class_weight):
    (X, y), (X_new, y_new) = three_classes(0), three_classes(1)
    plain = classifier(max_nodes=0).fit(X, y)
    weighted = classifier(max_nodes=0, class_weight=class_weight)
    weighted.fit(X, y)
    weighted.module_.load_state_dict(plain.module_.state_dict())
    y_new = np.where(X_new[:, 1] > 1.0, "left", y_new)
    plain.partial_fit(X_new, y_new)
    weighted.partial_fit(X_new, y_new)
    assert (weighted.predict_proba(X) != plain.predict_proba(X)).any()
