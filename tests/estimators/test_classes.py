"""Labels come back as they were given, and probabilities agree with them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.small import LOOKBACK, classifier, normal, product

pytestmark = pytest.mark.usefixtures("short_epochs")


LABELS = {
    "strings": np.array(["high", "low"]),
    "objects": np.array(["high", "low"], dtype=object),
    "booleans": np.array([False, True]),
    "integers": np.array([-3, 12]),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_come_back_as_they_were_given(name):
    X, y = product(80)
    labels = LABELS[name]
    codes = (y > 0).astype(int)
    model = classifier(genotype="product").fit(X, labels[codes])
    assert_array_equal(model.classes_, np.sort(labels))
    predicted = model.predict(X)
    assert predicted.dtype == labels.dtype
    assert set(predicted) <= set(labels)
    plain = classifier(genotype="product").fit(X, codes)
    assert_array_equal(predicted, labels[plain.predict(X)])


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("kind", ["tabular", "sequences", "rows"])
def test_probabilities_sum_to_one_and_agree_with_labels_and_logits(kind, n_classes):
    X = normal(90, 5, 3) if kind == "sequences" else normal(90, 3)
    y = np.arange(90) % n_classes
    model = classifier(genotype="highway", lookback=LOOKBACK if kind == "rows" else None)
    model.fit(X, y)
    probabilities = model.predict_proba(X)
    logits = model.decision_function(X)
    assert probabilities.shape == (90, n_classes)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
    if n_classes == 2:
        assert logits.shape == (90,)
        assert_array_equal(logits > 0, model.predict(X) == model.classes_[1])
        assert_allclose(logits, np.log(probabilities[:, 1] / probabilities[:, 0]), atol=1e-9)
    else:
        assert_array_equal(logits.argmax(axis=1), probabilities.argmax(axis=1))


def test_a_rare_class_keeps_its_column():
    X, y = product(60)
    labels = np.where(y > 0, "up", "down").astype(object)
    labels[7] = "once"
    model = classifier().fit(X, labels)
    assert model.predict_proba(X).shape == (60, 3)
    assert np.isfinite(model.predict_proba(X)).all()
