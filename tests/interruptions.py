"""Errors that come at a chosen moment: as one of the functions of sknas is called."""

import contextlib
import inspect
import random
import sys
from pathlib import Path

import sknas

PACKAGE = str(Path(sknas.__file__).parent)
# What gives back the caller's settings, and what sees to it that results are kept. Python itself
# can be interrupted between the words `with` and `try`, and nothing written in it is safe from
# that; it is over in microseconds.
GIVING_BACK = {
    "__enter__",
    "__exit__",
    "borrow",
    "give_back",
    "guarded",
    "tear_down",
    "insist",
    "_insist",
}


class _Counter:
    """Counts calls of functions of sknas, and raises at one of them."""

    def __init__(self, moment, error):
        self.moment, self.error, self.n_calls, self.place = moment, error, 0, None
        self.has_seed = False

    def __call__(self, frame, event, argument):
        code = frame.f_code
        if event != "call" or not _is_counted(code):
            return
        self.n_calls += 1
        self.has_seed |= code.co_name == "first_candidate"
        if self.n_calls == self.moment:
            sys.settrace(None)
            self.place = f"{Path(code.co_filename).stem}.{code.co_name}"
            raise self.error


def _is_counted(code):
    """Leave out generators: what is raised while one is thrown away, Python does not pass on."""
    is_generator = code.co_flags & inspect.CO_GENERATOR
    return (
        code.co_filename.startswith(PACKAGE)
        and code.co_name not in GIVING_BACK
        and not is_generator
    )


@contextlib.contextmanager
def raising_at(moment, error=KeyboardInterrupt):
    """Let the call of that number raise; 0 lets none.

    Yields what counts the calls: `n_calls`, `place`, the name of the function that raised, and
    `has_seed`, whether there was something to keep by then.
    """
    counter, before = _Counter(moment, error), sys.gettrace()
    sys.settrace(counter)
    try:
        yield counter
    finally:
        sys.settrace(before)


def moments(work, n, seed=0):
    """Return numbers of calls spread over some work, one at random in each of `n` equal parts."""
    with raising_at(0) as counter:
        work()
    source, share = random.Random(seed), counter.n_calls / n
    return [1 + int(share * (part + source.random())) for part in range(n)]
