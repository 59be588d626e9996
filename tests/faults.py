"""Gradient steps that raise when they are told to."""

import sknas.training.nets as nets


def raise_at(monkeypatch, step, error=KeyboardInterrupt):
    """Let the search's gradient step of that number raise."""
    monkeypatch.setattr(nets, "weight_step", _raising(nets.weight_step, step, error))


def raise_in_training_at(monkeypatch, step):
    """Let the training's gradient step of that number be interrupted."""
    raising = _raising(nets.DerivedNet.train_step, step, KeyboardInterrupt)
    monkeypatch.setattr(nets.DerivedNet, "train_step", raising)


def _raising(whole, step, error):
    count = iter(range(10**6))

    def step_or_raise(*args, **kwargs):
        if next(count) == step:
            raise error
        return whole(*args, **kwargs)

    return step_or_raise
