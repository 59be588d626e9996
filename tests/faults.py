"""Gradient steps that raise, or are not finite, when they are told to."""

import math

import torch

import sknas.training.nets as nets
from sknas.blocks import Objective
from sknas.derived import DerivedNetwork
from sknas.estimators._progress import Progress
from sknas.search.channels import ChannelGates
from sknas.supernet import Supernet
from sknas.training.gate_net import GateNet


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


class Spoiler:
    """Makes numbers of chosen steps of one phase not finite, where they would arise by themselves.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
        Puts everything back.
    phase : str
        Of whose steps.
    kind : str
        What is spoiled: a key of `KINDS`, or ``"weight"``, ``"moment"`` before the step.
    steps : container of int
        Which steps of the phase, counted from 0 over all its trainings.
    level : str, default="weights"
        Which steps of a search: those of ``"weights"``, or of the ``"architecture"``.

    Attributes
    ----------
    n_spoiled : int
        How many steps it has spoiled.
    """

    def __init__(self, monkeypatch, phase, kind, steps, *, level="weights"):
        self.phase, self.kind, self.steps = phase, kind, steps
        self.n_steps = self.n_spoiled = 0
        self.is_in_phase = self.is_at_work = False
        run = Progress.run

        def noting_phase(progress, name, *rest):
            self.is_in_phase = name == phase
            return run(progress, name, *rest)

        monkeypatch.setattr(Progress, "run", noting_phase)
        owners = {
            "weights": [
                (nets, "weight_step", lambda learner, *_: (learner.weight_optimizer,)),
                (nets.DerivedNet, "train_step", lambda net, *_: (net.optimizer_,)),
                (GateNet, "train_step", lambda net, *_: (net.optimizer_,)),
            ],
            "architecture": [(nets, "arch_step", lambda learner, *_: (learner.arch_optimizer,))],
        }
        for owner, name, optimizers in owners[level]:
            monkeypatch.setattr(owner, name, self._spoiling(getattr(owner, name), optimizers))
        for network in (Supernet, DerivedNetwork, ChannelGates):
            monkeypatch.setattr(network, "forward", self._output_of(network.forward))
        monkeypatch.setattr(Objective, "estimate", self._loss_of(Objective.estimate))

    def _spoiling(self, step, optimizers):
        def spoiling(*args, **kwargs):
            if not self.is_in_phase:
                return step(*args, **kwargs)
            self.is_at_work = self.n_steps in self.steps
            self.n_steps += 1
            self.n_spoiled += self.is_at_work
            if self.is_at_work:
                for optimizer in optimizers(*args):
                    self._spoil_state(optimizer)
            try:
                return step(*args, **kwargs)
            finally:
                self.is_at_work = False

        return spoiling

    def _spoil_state(self, optimizer):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if self.kind == "weight":
            parameters[-1].detach().fill_(math.nan)
        if self.kind == "moment":
            for entries in optimizer.state.values():
                entries["exp_avg"].fill_(math.nan)

    def _output_of(self, forward):
        def spoiled(network, past):
            output = forward(network, past)
            return KINDS[self.kind][0](output) if self._acts() else output

        return spoiled

    def _loss_of(self, estimate):
        def spoiled(*args):
            loss = estimate(*args)
            return KINDS[self.kind][1](loss) if self._acts() else loss

        return spoiled

    def _acts(self):
        return self.is_at_work and self.kind in KINDS


class _SteepAtOnce(torch.autograd.Function):
    """The identity, with a gradient that is not finite."""

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * math.inf


def _same(value):
    return value


# What is done to the output of a network, and to a loss.
KINDS = {
    "nan loss": (_same, lambda loss: loss * math.nan),
    "infinite loss": (_same, lambda loss: loss + math.inf),
    "gradient": (_same, _SteepAtOnce.apply),
    "output": (lambda output: output * math.nan, _same),
    "overflow": (lambda output: output * 1e30 * 1e30 * 1e150, _same),
}
