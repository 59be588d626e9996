"""Codes become rows of one learned table, which survives whatever happens to a network."""

import copy

import pytest
import torch

from sknas.blocks import CodeEmbedding, LinearSeed
from sknas.edits import AddBranch
from sknas.search.channels import narrow_network
from sknas.search.inheritance import derive
from sknas.search.learner import Learner, LearningRates
from sknas.search.lifting import lift
from sknas.supernet import Mixing, SigmoidRelaxation
from tests.tiny import CODED, CODED_PADDED, branch, generator, perturb, supernet, windows

SHAPES = pytest.mark.parametrize("shape", [CODED, CODED_PADDED], ids=["full", "padded"])
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def table(dtype=torch.float64, seed=0):
    return CodeEmbedding(CODED, generator=generator(seed), dtype=dtype)


def network(shape=CODED, cell="gru", segment_length=1):
    net = supernet(branch(cell, segment_length=segment_length), shape=shape, window_norm="none")
    return derive(net, generator=generator())


@DTYPES
def test_every_step_is_the_row_of_its_code(dtype):
    block, codes = table(dtype), windows(CODED, dtype=dtype)
    perturb(block)
    output = block(codes, None)
    assert output.shape == (len(codes), CODED.embedding_size, CODED.lookback)
    assert output.dtype == dtype
    for sample, code in zip(output, codes[:, 0], strict=True):
        for step, number in enumerate(code):
            assert torch.equal(sample[:, step], block.weight[int(number)])


def test_an_unknown_code_says_nothing_at_first_and_a_missing_step_never_does():
    block = table()
    assert not block.weight[0].any()
    assert block.weight[1:].all()
    perturb(block)
    present = torch.tensor([[False, True, True]])
    output = block(torch.zeros(1, 1, 3, dtype=torch.float64), present)
    assert not output[0, :, 0].any()
    assert torch.equal(output[0, :, 1], block.weight[0])


def test_the_first_draw_does_not_depend_on_the_type_and_is_the_generators():
    assert torch.equal(table(torch.float64).float().weight, table(torch.float32).weight)
    assert not torch.equal(table(seed=0).weight, table(seed=1).weight)


def test_only_rows_of_codes_that_were_read_have_a_gradient():
    block = table()
    block(torch.tensor([[[2.0, 4.0, 2.0]]]), None).sum().backward()
    assert block.weight.grad[:, 0].tolist() == [0.0, 0.0, 2.0, 0.0, 1.0, 0.0]


@SHAPES
def test_the_seed_reads_the_newest_code_and_the_branches_all_of_them(shape):
    net, past = network(shape), windows(shape, n=6)
    changed = past.clone()
    changed[:, :, -2] = 6 - 1 - changed[:, :, -2]
    seed_alone = copy.deepcopy(net)
    del seed_alone.trunk.branches[0]
    is_there = ~changed[:, 0, -2].isnan()
    assert torch.equal(seed_alone(changed), seed_alone(past))
    differs = (net(changed) != net(past)).flatten(1).any(dim=1)
    assert differs[is_there].all()


def test_the_size_of_the_seed_does_not_grow_with_the_window():
    seed = LinearSeed(CODED, "mixed", dtype=torch.float64)
    assert seed.weight.shape == (CODED.embedding_size, CODED.n_targets)


@SHAPES
def test_a_derived_network_takes_the_table_over(shape):
    net = supernet(branch("lstm"), shape=shape, window_norm="none")
    derived, past = derive(net, generator=generator(5)), windows(shape)
    assert torch.equal(derived.trunk.embedding.weight, net.trunk.embedding.weight)
    assert derived.trunk.embedding.weight is not net.trunk.embedding.weight
    torch.testing.assert_close(derived(past), net(past), rtol=0, atol=1e-12)


@SHAPES
def test_a_lifted_network_predicts_the_same_and_shares_no_table(shape):
    net, past = network(shape), windows(shape)
    lifted = lift(net, Mixing(SigmoidRelaxation()), generator=generator(9))
    torch.testing.assert_close(lifted(past), net(past), rtol=0, atol=1e-12)
    perturb(lifted.trunk.embedding)
    assert not torch.equal(lifted(past), net(past))


def test_narrowing_removes_units_and_leaves_the_table():
    net, past = network(), windows(CODED)
    before = net.trunk.embedding.weight.clone()
    narrow_network(net, [(0, 2)])
    assert torch.equal(net.trunk.embedding.weight, before)
    assert net(past).shape == (len(past), 3, 1)


def test_the_table_is_a_weight_that_learns_and_no_newborn():
    net = supernet(shape=CODED, window_norm="none")
    learner = Learner.start(net, LearningRates(0.01, 0.01, 0.0))
    weight = net.trunk.embedding.weight
    change = learner.apply(AddBranch(branch()), generator(1))
    held = [p for group in learner.weight_optimizer.param_groups for p in group["params"]]
    assert any(p is weight for p in held)
    assert weight in learner.average.averages
    assert not any(p is weight for p in (*net.arch_parameters(), *change.added))
