"""The optimizers that fits use are torch's own, less the import of its compiler."""

import copy

import pytest
import torch

from sknas import _torch
from tests.small import run_python
from tests.tiny import generator

OPTIMIZERS = [
    (_torch.Adam, torch.optim.Adam, {"lr": 0.1, "betas": (0.5, 0.999), "fused": True}),
    (_torch.AdamW, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.3, "fused": True}),
    (_torch.LBFGS, torch.optim.LBFGS, {"max_iter": 3, "line_search_fn": "strong_wolfe"}),
]

FIT = """
import sys
from sknas import GrowingDARTSRegressor
from sknas.datasets import make_product
X, y = make_product(60, 2, random_state=0)
model = GrowingDARTSRegressor(hidden_size=2, search_epochs=2, max_epochs=1, random_state=0)
model.fit(X, y).partial_fit(X, y)
print("torch._dynamo" in sys.modules)
"""


def parameters(*sizes, seed=0):
    return [torch.nn.Parameter(torch.randn(n, generator=generator(seed))) for n in sizes]


def descend(optimizer, moving, n_steps):
    """Descend on a quartic, by gradients that the closure leaves."""

    def closure():
        optimizer.zero_grad()
        loss = sum((p**4 / 4 - p).sum() for p in moving)
        loss.backward()
        return loss.detach()

    return [float(optimizer.step(closure)) for _ in range(n_steps)]


@pytest.mark.parametrize(("ours", "theirs", "settings"), OPTIMIZERS, ids=lambda v: str(v)[:30])
def test_steps_are_torchs_own_to_the_last_bit(ours, theirs, settings):
    ways = []
    for kind in (ours, theirs):
        moving = parameters(3, 5)
        ways.append((descend(kind(moving, **settings), moving, 6), moving))
    (losses, found), (expected_losses, expected) = ways
    assert losses == expected_losses
    assert losses[-1] < losses[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize(("ours", "theirs", "settings"), OPTIMIZERS[:2], ids=lambda v: str(v)[:30])
def test_states_groups_and_hooks_are_torchs_own(ours, theirs, settings):
    ways = []
    for kind in (ours, theirs):
        first, second = parameters(3, 5)
        optimizer, n_steps = kind([first], **settings), []
        optimizer.register_step_post_hook(lambda *_, count=n_steps: count.append(1))
        descend(optimizer, [first], 2)
        optimizer.add_param_group({"params": [second], "lr": 0.01})
        descend(optimizer, [first, second], 2)
        again = kind([{"params": [first]}, {"params": [second]}], **settings)
        again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        descend(again, [first, second], 2)
        ways.append(((first, second), len(n_steps), again.state_dict()))
    torch.testing.assert_close(ways[0], ways[1], rtol=0, atol=0)


@pytest.mark.slow
def test_a_fit_does_not_import_torchs_compiler():
    assert run_python(FIT).strip() == "False"
