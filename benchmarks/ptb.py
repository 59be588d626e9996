"""Language modelling: the next word of Penn Treebank, at equal CPU time for every network.

    python benchmarks/ptb.py --epochs 6 --test-tokens 20000
    python benchmarks/ptb.py --smoke

Each window of words predicts the word after it. The vocabulary is that of the training text used;
other words count as <unk>. The search has `--epochs` epochs for the search and as many for the
training after it, an epoch being one pass over the training text; what that costs in CPU time is
the budget of each fixed cell, turned into epochs by a pilot of one epoch. All networks have the
same embedding, width, batches and learning rate. Beside them stand counts: the unigram, and the
bigram smoothed towards it, tuned on the validation text. The figure is the perplexity of the test
text. Needs the data folder, see `_data`. Everything runs on one core.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _data import penn_treebank
from _table import keep, summarise, timed
from numpy.typing import NDArray

from sknas import Genotype, GrowingDARTSClassifier
from sknas.ops import DEFAULT_OPERATIONS

UNKNOWN = "<unk>"
FIXED = ("linear", "gru", "lstm", "darts")
STRENGTHS = tuple(10.0**k for k in np.arange(-1, 4.5, 0.5))
CHUNK = 512


@dataclass(frozen=True)
class Corpus:
    """Texts as numbers of words, of which there are `n_words`."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    n_words: int


def corpus(options: argparse.Namespace) -> Corpus:
    """Read the three texts, cut to the wanted lengths, and number the training text's words."""
    train, validation, test = (
        words[:length]
        for words, length in zip(
            penn_treebank(),
            (options.train_tokens, options.validation_tokens, options.test_tokens),
            strict=True,
        )
    )
    number = {word: k for k, word in enumerate(sorted({*train, UNKNOWN}))}
    texts = (
        np.array([number.get(word, number[UNKNOWN]) for word in words])
        for words in (train, validation, test)
    )
    return Corpus(*texts, len(number))


# -- counts -------------------------------------------------------------------------------------


def perplexity(probability: NDArray[np.float64]) -> float:
    """Return the perplexity of words that had these probabilities."""
    return float(np.exp(-np.log(probability).mean()))


def unigram(texts: Corpus, strength: float) -> NDArray[np.float64]:
    """Return each word's frequency, after `strength` more occurrences of every word."""
    counts = np.bincount(texts.train, minlength=texts.n_words) + strength
    return counts / counts.sum()


class Bigram:
    """Counts of pairs, after `strength` more words behind each that follow the unigram model."""

    def __init__(self, texts: Corpus, prior: NDArray[np.float64], strength: float) -> None:
        self.prior, self.strength, self.n_words = prior, strength, texts.n_words
        pairs = texts.train[:-1] * texts.n_words + texts.train[1:]
        self.pairs, self.counts = np.unique(pairs, return_counts=True)
        self.totals = np.bincount(texts.train[:-1], minlength=texts.n_words)

    def probability(self, text: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each word of a text but the first, given the one before."""
        wanted = text[:-1] * self.n_words + text[1:]
        place = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        count = np.where(self.pairs[place] == wanted, self.counts[place], 0)
        smoothed = count + self.strength * self.prior[text[1:]]
        return smoothed / (self.totals[text[:-1]] + self.strength)


def counted(texts: Corpus) -> list[dict[str, Any]]:
    """Return the rows of the count models, their strengths chosen on the validation text."""

    def best_unigram() -> NDArray[np.float64]:
        models = [unigram(texts, strength) for strength in STRENGTHS]
        return min(models, key=lambda model: perplexity(model[texts.validation[1:]]))

    def best_bigram() -> Bigram:
        models = [Bigram(texts, prior, strength) for strength in STRENGTHS]
        return min(models, key=lambda model: perplexity(model.probability(texts.validation)))

    prior, first = timed(best_unigram)
    bigram, second = timed(best_bigram)
    return [
        row(
            "unigram counts",
            perplexity(prior[texts.validation[1:]]),
            perplexity(prior[texts.test[1:]]),
            first,
            texts.n_words,
        ),
        row(
            "bigram counts",
            perplexity(bigram.probability(texts.validation)),
            perplexity(bigram.probability(texts.test)),
            second,
            len(bigram.counts) + texts.n_words,
        ),
    ]


# -- networks -----------------------------------------------------------------------------------


def row(
    method: str,
    validation: float,
    test: float,
    seconds: float,
    n_params: int,
    genotype: str = "",
    seed: int = 0,
    n_epochs: int = 0,
) -> dict[str, Any]:
    """Return one record, and tell it."""
    print(f"  {method}: perplexity {test:.1f}, {seconds:.0f} CPU s", flush=True)
    return {
        "method": method,
        "seed": seed,
        "perplexity": test,
        "validation": validation,
        "cpu_seconds": seconds,
        "n_params": n_params,
        "epochs": n_epochs,
        "genotype": genotype,
    }


def network_perplexity(
    model: GrowingDARTSClassifier, before: NDArray[np.int64], text: NDArray[np.int64]
) -> float:
    """Return the perplexity of a text but its first word, read behind another one.

    Probabilities are as wide as the vocabulary, so they are asked for in parts. A word that no
    training window was followed by has the probability that one pseudo-sample would give it.
    """
    n_history = model.lookback - 1
    tokens = np.concatenate([before[len(before) - n_history :], text])
    column = np.full(int(max(tokens.max(), model.classes_.max())) + 1, -1)
    column[model.classes_] = np.arange(len(model.classes_))
    found = []
    for start in range(n_history, len(tokens) - 1, CHUNK):
        stop = min(start + CHUNK, len(tokens) - 1)
        X, y = tokens[start - n_history : stop, None], tokens[start + 1 : stop + 1]
        place = column[y]
        probability = model.predict_proba(X)[n_history:][np.arange(len(y)), place]
        found.append(np.where(place < 0, 1.0 / len(before), probability))
    return perplexity(np.concatenate(found))


def fitted(
    texts: Corpus, seed: int, options: argparse.Namespace, **parameters: Any
) -> tuple[GrowingDARTSClassifier, float, float]:
    """Return a model fitted on the text, the CPU seconds that took, and those of all its epochs."""
    tokens = np.concatenate([texts.train, texts.validation])
    model = GrowingDARTSClassifier(
        lookback=options.lookback,
        embedding_size=options.embedding,
        hidden_size=options.hidden,
        batch_size=options.batch,
        learning_rate=options.rate,
        dropout=options.dropout,
        validation_fraction=len(texts.validation) / (len(tokens) - 1),
        random_state=seed,
        **parameters,
    )
    start = time.monotonic()
    _, seconds = timed(lambda: model.fit(tokens[:-1, None], tokens[1:]))
    share = model.search_history_.seconds.sum() / (time.monotonic() - start)
    return model, seconds, seconds * share


def measured(
    method: str, texts: Corpus, seed: int, options: argparse.Namespace, **parameters: Any
) -> dict[str, Any]:
    """Fit a network and return its row."""
    model, seconds, _ = fitted(texts, seed, options, **parameters)
    print(model.search_report_, flush=True)
    return row(
        method,
        network_perplexity(model, texts.train, texts.validation),
        network_perplexity(model, texts.validation, texts.test),
        seconds,
        model.n_params_,
        str(model.genotype_),
        seed,
        model.n_iter_,
    )


def fixed(
    method: str, texts: Corpus, seed: int, budget: float, options: argparse.Namespace, genotype: Any
) -> dict[str, Any]:
    """Train a fixed architecture for as many epochs as the budget pays for."""
    _, seconds, epoch = fitted(texts, seed, options, genotype=genotype, max_epochs=1)
    n_epochs = max(1, round((budget - (seconds - epoch)) / epoch))
    return measured(method, texts, seed, options, genotype=genotype, max_epochs=n_epochs)


def networks(texts: Corpus, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of the search, of fixed cells and of random ones."""
    epochs = {"search_epochs": options.epochs, "max_epochs": options.epochs}
    rows = [measured("search", texts, seed, options, **epochs)]
    budget = rows[0]["cpu_seconds"]
    rows += [fixed(name, texts, seed, budget, options, name) for name in FIXED]
    for draw in range(options.random):
        drawn = Genotype.random(
            100 * seed + draw,
            operations=DEFAULT_OPERATIONS,
            n_nodes=4,
            hidden_size=options.hidden,
        )
        rows.append(fixed("random genotypes", texts, seed, budget, options, drawn))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6, help="of the search, and after it")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--random", type=int, default=1, help="random genotypes a seed")
    parser.add_argument("--train-tokens", type=int, default=None, help="all, if not given")
    parser.add_argument("--validation-tokens", type=int, default=5000)
    parser.add_argument("--test-tokens", type=int, default=None, help="all, if not given")
    parser.add_argument("--lookback", type=int, default=20)
    parser.add_argument("--embedding", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.004, help="learning rate")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument(
        "--smoke", action="store_true", help="a short text, small networks, no file"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        options.train_tokens, options.validation_tokens, options.test_tokens = 3000, 500, 500
        options.epochs, options.hidden, options.embedding, options.lookback = 2, 8, 8, 5
    texts = corpus(options)
    print(
        f"{len(texts.train)} words of training text, {texts.n_words} different ones; "
        f"{len(texts.validation)} to validate, {len(texts.test)} to test",
        flush=True,
    )
    rows = counted(texts)
    for seed in range(options.seeds):
        rows += networks(texts, seed, options)
    metrics = ["perplexity", "validation", "cpu_seconds", "n_params", "epochs"]
    table = summarise(rows, ["method"], metrics)
    if options.smoke:
        print(table.to_string(float_format="{:.1f}".format, na_rep="-"))
        return
    keep("ptb", rows, table)
    for record in rows:
        if record["genotype"]:
            print(f"\n{record['method']}, seed {record['seed']}:\n{record['genotype']}")


if __name__ == "__main__":
    main()
