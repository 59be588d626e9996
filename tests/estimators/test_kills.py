"""A process that is killed leaves a fit that the next process goes on with, to the same bytes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.small import ROOT, SEARCH, product, regressor

KILLED = """
import sys
from tests.small import SEARCH, product, regressor
X, y = product()
print("begun", flush=True)
regressor(**{**SEARCH, "search_epochs": 30}, checkpoint_dir=sys.argv[1]).fit(X, y)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that cannot be caught")
@pytest.mark.parametrize("n_states", [5])
def test_a_killed_process_leaves_what_the_next_goes_on_from(tmp_path, n_states):
    X, y = product()
    parameters = {**SEARCH, "search_epochs": 30}
    undisturbed = regressor(**parameters).fit(X, y)
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    killed.stdout.readline()
    awaited = f"state-{n_states:06d}"
    while killed.poll() is None and not list(tmp_path.glob(f"*/{awaited}")):
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    model = regressor(**parameters, checkpoint_dir=tmp_path).fit(X, y)
    assert model.predict(X).tobytes() == undisturbed.predict(X).tobytes()
