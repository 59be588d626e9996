"""Category codes are read through a learned table: next tokens, classes, numbers."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknas.exceptions import SearchWarning
from tests.small import (
    EAGER,
    classifier,
    normal,
    predictions_in_a_fresh_process,
    regressor,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
N_WORDS, LOOKBACK = 9, 4
CODED = {"embedding_size": 5, "lookback": LOOKBACK}
LEARNS = {**CODED, "hidden_size": 8, "max_epochs": 15, "learning_rate": 0.03}
MAKERS = [regressor, classifier]


def text(n_tokens, seed=0):
    """Draw a text in which a word, nine times in ten, is decided by the word two before it."""
    rng = np.random.default_rng(seed)
    follows = np.random.default_rng(5).permutation(N_WORDS)
    tokens = list(rng.integers(N_WORDS, size=2))
    for _ in range(n_tokens - 2):
        is_ruled = rng.random() < 0.9
        tokens.append(follows[tokens[-2]] if is_ruled else rng.integers(N_WORDS))
    return np.array(tokens)


def next_words(n_tokens=400, seed=0):
    tokens = text(n_tokens + 1, seed)
    return tokens[:-1, None], tokens[1:]


def perplexity(model, X, y):
    """Return that of the words behind the first, incomplete windows."""
    probability = model.predict_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return np.exp(-np.log(probability[LOOKBACK:]).mean())


def bigram_perplexity(X, y, X_test, y_test):
    counts = np.full((N_WORDS, N_WORDS), 0.1)
    np.add.at(counts, (X[:, 0], y), 1.0)
    probability = (counts / counts.sum(axis=1, keepdims=True))[X_test[:, 0], y_test]
    return np.exp(-np.log(probability[LOOKBACK:]).mean())


def windows(n=60, n_steps=5, seed=0):
    """Return sequences of codes, and whether the last two are the same."""
    X = np.random.default_rng(seed).integers(3, size=(n, n_steps, 1))
    return X, X[:, -1, 0] == X[:, -2, 0]


# -- what it is worth ------------------------------------------------------------------------


def test_a_gru_on_embedded_words_beats_the_bigram_and_one_on_bare_codes():
    (X, y), (X_test, y_test) = next_words(900), next_words(400, seed=1)
    embedded = classifier(**LEARNS, genotype="gru").fit(X, y)
    bare = classifier(**{**LEARNS, "embedding_size": None}, genotype="gru").fit(X, y)
    bigram = bigram_perplexity(X, y, X_test, y_test)
    assert perplexity(embedded, X_test, y_test) < 0.5 * bigram
    assert perplexity(embedded, X_test, y_test) < 0.95 * perplexity(bare, X_test, y_test)


def test_the_linear_genotype_learns_which_word_follows_which():
    tokens = np.tile([3, 1, 4, 0, 2], 60)
    X, y = tokens[:-1, None], tokens[1:]
    model = classifier(**LEARNS, genotype="linear").fit(X, y)
    assert_array_equal(model.predict(X), y)
    assert list(model.search_report_.stages.index) == ["naive", "seed", "trained"]


def test_the_seed_is_the_unigram_model():
    X, y = next_words(300)
    model = classifier(**CODED, max_nodes=0, max_epochs=1, learning_rate=1e-12).fit(X, y)
    n_train = 240 - LOOKBACK - 1  # behind it a gap
    counts = np.bincount(y[:n_train], minlength=N_WORDS) + 1.0 / N_WORDS
    assert_allclose(model.predict_proba(X), np.tile(counts / counts.sum(), (300, 1)), rtol=1e-6)


def test_numbers_are_learned_from_codes_too():
    X, y = next_words(500)
    value = normal(N_WORDS, seed=2)
    model = regressor(**LEARNS, genotype="gru").fit(X, value[y])
    assert model.score(X, value[y]) > 0.6


def test_a_search_on_words_grows_a_network_that_beats_its_seed():
    X, y = next_words(600)
    model = classifier(**CODED, **{**EAGER, "learning_rate": 0.02}).fit(X, y)
    assert model.genotype_.branches
    assert all(branch.segment_length == 1 for branch in model.genotype_.branches[:1])
    losses = model.search_report_.stages.val_loss
    assert losses[model.search_report_.chosen] < 0.9 * losses["seed"]


# -- codes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_codes_that_training_never_saw_are_all_alike(make):
    X = text(300)[:, None]
    model = make(**LEARNS, genotype="gru", linear_seed=False).fit(X, X[:, 0] % 2)
    unknown, other = X.copy(), X.copy()
    unknown[100], other[100] = 99, 10**9
    assert_array_equal(model._outputs(unknown), model._outputs(other))
    assert np.abs(model._outputs(unknown) - model._outputs(X)).max() > 1e-3


def test_the_names_of_the_codes_do_not_matter_in_their_order():
    X, y = next_words()
    model = classifier(**CODED, genotype="gru", linear_seed=False)
    first = model.fit(X, y).predict_proba(X)
    assert_array_equal(model.fit(1000 + 17 * X, y).predict_proba(1000 + 17 * X), first)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32, np.float64])
def test_codes_may_be_of_any_numeric_type(kind):
    X, y = next_words()
    model = classifier(**CODED, genotype="gru")
    expected = model.fit(X, y).predict_proba(X)
    assert_array_equal(model.fit(X.astype(kind), y).predict_proba(X.astype(kind)), expected)


@pytest.mark.parametrize("wrong", [-1.0, 0.5])
@pytest.mark.parametrize("make", MAKERS)
def test_an_entry_that_is_no_code_is_named(make, wrong):
    X, y = next_words(60)
    X = X.astype(float)
    model = make(**CODED, genotype="gru").fit(X, y)
    X[7] = wrong
    for call in (lambda: make(**CODED).fit(X, y), lambda: model.predict(X)):
        with pytest.raises(ValueError, match=f"X must hold non-negative integers.*got {wrong}"):
            call()
    with pytest.raises(ValueError, match="X must hold non-negative integers"):
        model.partial_fit(X, y)


@pytest.mark.parametrize("make", MAKERS)
def test_codes_stand_in_one_column_of_a_sequence(make):
    X, y = next_words(60)
    with pytest.raises(ValueError, match=r"X must have one column .* embedding_size; got 2"):
        make(**CODED).fit(np.hstack([X, X]), y)
    with pytest.raises(ValueError, match=r"embedding_size needs sequences .* lookback=None"):
        make(embedding_size=3).fit(X, y)


@pytest.mark.parametrize("window_norm", ["last", "revin"])
def test_codes_have_no_level(window_norm):
    X, y = next_words(60)
    with pytest.raises(ValueError, match=f"window_norm must be 'auto' or 'none'.*{window_norm}"):
        classifier(**CODED, window_norm=window_norm).fit(X, y)


def test_no_target_continues_a_code():
    X, y = next_words(60)
    with pytest.raises(ValueError, match=r"target_channels must be None or empty.*\[0\]"):
        regressor(**CODED, target_channels=[0]).fit(X, y)
    model = regressor(**CODED, genotype="gru").fit(X, np.stack([y, y], axis=1)[:, :, None])
    assert model.predict(X).shape == (60, 2, 1)
    assert model.module_.spec.shape.target_channels is None


# -- other shapes of input -------------------------------------------------------------------


def test_sequences_of_unequal_length_are_read_to_their_end():
    X, y = windows()
    padded = np.concatenate([X, np.full((len(X), 2, 1), np.nan)], axis=1)
    padded[::2, 5:7, 0] = 1.0
    model = classifier(embedding_size=4, genotype="gru", linear_seed=False).fit(padded, y)
    longer = np.concatenate([padded, np.full((len(X), 3, 1), np.nan)], axis=1)
    assert_allclose(model.predict_proba(longer[:, :7]), model.predict_proba(padded), atol=1e-12)
    alone = model.predict_proba(padded[1:2])
    assert_allclose(alone, model.predict_proba(padded)[1:2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("parameters", [{"genotype": "gru"}, {"max_nodes": 0}])
def test_a_sequence_of_weight_k_is_k_sequences(parameters):
    X, y = windows()
    weight = np.random.default_rng(0).integers(0, 4, size=len(X))
    model = classifier(embedding_size=4, **parameters)
    weighted = model.fit(X, y, sample_weight=weight).predict_proba(X)
    repeated = model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict_proba(X)
    assert_allclose(weighted, repeated, rtol=0, atol=1e-12)


def test_rows_with_little_history_repeat_the_first_code():
    X, y = next_words()
    model = classifier(**CODED, genotype="gru", linear_seed=False).fit(X, y)
    padded = np.concatenate([np.repeat(X[:1], LOOKBACK - 1, axis=0), X])
    rows = model.predict_proba(X)
    assert_allclose(model.predict_proba(padded)[LOOKBACK - 1 :], rows, rtol=0, atol=1e-12)


def test_a_text_that_follows_the_training_text_reads_its_end():
    X, y = next_words()
    frame = pd.DataFrame(X, columns=["word"])
    model = classifier(**CODED, genotype="gru", linear_seed=False).fit(frame[:300], y[:300])
    whole = model.predict_proba(frame.set_axis(frame.index + 5000))
    assert_allclose(model.predict_proba(frame[300:]), whole[300:], rtol=0, atol=1e-12)


# -- going on --------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "n_tokens"), [(regressor, 300), (classifier, 1500)])
def test_a_pickle_predicts_the_same_in_a_fresh_process(make, n_tokens, tmp_path):
    # The longer text does not fit one batch, so it trains in float32.
    X, y = next_words(n_tokens)
    model = make(**CODED, genotype="gru", linear_seed=False).fit(X, y)
    assert_array_equal(pickle.loads(pickle.dumps(model))._outputs(X), model._outputs(X))
    there = predictions_in_a_fresh_process(model, X, tmp_path)
    assert there == model.predict(X).tobytes()


def test_the_same_random_state_gives_the_same_network():
    X, y = next_words()
    first, second = (classifier(**CODED, **EAGER).fit(X, y) for _ in range(2))
    assert first.genotype_ == second.genotype_
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = classifier(**{**CODED, **EAGER, "random_state": 1}).fit(X, y)
    assert np.abs(other._outputs(X) - first._outputs(X)).max() > 1e-6


def test_partial_fit_gives_new_codes_their_shared_row():
    X, X_new = text(500)[:, None], text(500, seed=3)[:, None]
    model = classifier(**LEARNS, genotype="linear").partial_fit(X, X[:, 0], range(N_WORDS))
    before = model.module_.trunk.embedding.weight.numpy().copy()
    assert not before[0].any()
    renamed = np.where(X_new == 1, 50, X_new)
    model.partial_fit(renamed, X_new[:, 0])
    after = model.module_.trunk.embedding.weight.numpy()
    assert after.shape == before.shape
    assert after[0].any()
    assert model.predict(np.full((1, 1), 999)) == [1]
    assert "moved" not in " ".join(model.search_report_.stages.index)


@pytest.mark.parametrize("genotype", ["gru", "linear"])
def test_a_warm_start_goes_on_from_the_table(genotype):
    X, y = next_words(500)
    model = classifier(**LEARNS, genotype=genotype, warm_start=True).fit(X, y)
    first = model.search_report_.stages.val_loss
    model.set_params(max_epochs=1).fit(X, y)
    again = model.search_report_.stages.val_loss
    assert again["previous"] == pytest.approx(first[:"trained"].min(), rel=1e-6)
    assert again["trained"] <= again["previous"] * (1 + 1e-9)
    with pytest.raises(ValueError, match="warm_start needs data of the shape"):
        model.set_params(embedding_size=6).fit(X, y)


def test_narrowing_removes_units_behind_the_table():
    X, y = next_words(500)
    settings = {**LEARNS, "hidden_size": 16, "size_penalty": 20.0}
    model = classifier(**settings, genotype="gru").fit(X, y)
    gates = model.search_history_.query("phase == 'narrow'")
    assert model.n_params_ == gates.n_params.iloc[-1] < gates.n_params.iloc[0]
    assert model.module_.trunk.embedding.weight.shape == (N_WORDS + 1, 5)
    assert np.isfinite(model.predict_proba(X)).all()
    linear = classifier(**settings, genotype="linear").fit(X, y)
    assert "narrow" not in set(linear.search_history_.phase)


@pytest.mark.parametrize(
    ("refit", "expected"),
    [
        ("inherit", ["derived", "trained"]),
        ("scratch", ["retrained"]),
        ("both", ["derived", "trained", "retrained"]),
    ],
)
def test_every_way_of_refitting_learns_the_text_and_a_last_round_takes_all_of_it(refit, expected):
    X, y = next_words()
    search = {"initial_genotype": "highway", "max_nodes": 2, "search_epochs": 8, "max_epochs": 6}
    settings = {**LEARNS, **search, "refit": refit}
    model = classifier(**settings).fit(X, y)
    full = classifier(**settings, refit_full=True).fit(X, y)
    for one, phases in ((model, set()), (full, {"refit"})):
        losses = one.search_report_.stages.val_loss
        assert list(losses.index[3:]) == expected
        assert (losses[expected] < 0.9 * losses["seed"]).all()
        assert one.search_report_.chosen in expected
        ways = {"trained": "train", "retrained": "retrain"}
        phases |= {"search"} | {phase for stage, phase in ways.items() if stage in expected}
        assert set(one.search_history_.phase) == phases
    n_epochs = len(model.search_history_)
    assert_array_equal(full.search_history_.val_loss[:n_epochs], model.search_history_.val_loss)
    held_out = slice(-len(X) // 5, None)  # what only the last round has trained on
    likelihoods = [one.predict_proba(X[held_out]) for one in (model, full)]
    places = np.searchsorted(model.classes_, y[held_out])[:, None]
    before, after = (np.log(np.take_along_axis(p, places, axis=1)).mean() for p in likelihoods)
    assert after > before


# -- many classes ----------------------------------------------------------------------------


def test_windows_of_a_text_with_single_words_are_split_in_time():
    X, y = windows(80)
    codes = y.astype(int)
    codes[-1] = 7  # the only one of its class
    model = classifier(embedding_size=3, genotype="gru", max_epochs=1)
    with_single = model.fit(X, codes).search_report_.stages.val_loss["naive"]
    in_time = model.set_params(validation="chronological").fit(X, codes)
    assert with_single == in_time.search_report_.stages.val_loss["naive"]
    by_class = model.set_params(validation="stratified").fit(X, codes)
    assert with_single != by_class.search_report_.stages.val_loss["naive"]


@pytest.mark.parametrize("parameters", [{"genotype": "gru"}, {"max_nodes": 1}])
def test_memory_does_not_hold_samples_times_classes(parameters):
    n_words, n = 3000, 12_000
    tokens = np.random.default_rng(0).permutation(np.arange(n + 1) % n_words)
    X, y = tokens[:-1, None], tokens[1:]
    settings = {**CODED, "hidden_size": 2, "search_epochs": 1, "max_epochs": 1}
    tracemalloc.start()
    model = classifier(**settings, **parameters).fit(X, y)
    model.predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(model.classes_) == n_words
    assert peak < n * n_words  # bytes; a one-hot matrix of booleans


def test_the_naive_model_says_the_frequencies_of_the_training_part():
    X, y = next_words(300)
    model = classifier(**CODED, max_nodes=0, max_epochs=1).fit(X, y)
    counts = np.bincount(y[: 240 - LOOKBACK - 1], minlength=N_WORDS)
    logs, share = np.log(counts / counts.sum()), 1 / 61  # a pseudo-sample beside 60
    expected = -(1 - share) * logs[y[240:]].mean() - share * logs.mean()
    assert model.search_report_.stages.val_loss["naive"] == pytest.approx(expected, rel=1e-6)


def test_the_seed_of_a_regression_on_codes_is_the_weighted_mean():
    X, y = next_words(300)
    weight = np.random.default_rng(0).uniform(1, 3, size=300)
    model = regressor(**CODED, max_nodes=0, max_epochs=1, learning_rate=1e-12)
    predicted = model.fit(X, y**2, sample_weight=weight).predict(X)
    train = slice(240 - LOOKBACK - 1)
    mean = np.average(y[train] ** 2, weights=weight[train])
    assert_allclose(predicted, mean, rtol=1e-6)


@pytest.mark.parametrize("start", [{"mode": "fixed"}, {"initial_genotype": "linear"}], ids=str)
def test_where_weights_leave_no_room_for_a_branch_the_seed_trains_alone(start):
    X, y = next_words(120)
    model = classifier(**CODED, **start, max_nodes=2, max_params=120, max_epochs=2)
    with pytest.warns(SearchWarning, match="leaves no room"):
        model.fit(X, y)
    assert not model.genotype_.branches
    assert model.n_params_ <= 120
    assert list(model.search_history_["phase"].unique()) == ["train"]
