"""What every registered operation owes to the nodes that use it."""

import copy
import pickle

import pytest
import torch

from sknas.edits import AddBranch, AddOp, Widen
from sknas.genotype import Branch, Cell, Node
from sknas.ops import (
    DEFAULT_OPERATIONS,
    Op,
    UnitwiseOp,
    get_op,
    register_op,
    registered_ops,
    unitwise,
    unregister_op,
)
from sknas.supernet import Mixing, NodePlace, SigmoidRelaxation, Supernet
from tests.tiny import SHAPE, generator, normal, perturb, windows

every_op = pytest.mark.parametrize("name", registered_ops())
every_unitwise_op = pytest.mark.parametrize(
    "name", [name for name in registered_ops() if isinstance(get_op(name), UnitwiseOp)]
)


def operands(name, dtype=torch.float64, scale=1.0):
    """Draw the two operands, and a projection as wide as the operation wants it."""
    widths = (4, 4, 4 * get_op(name).n_projections)
    return [scale * normal(6, width, seed=i, dtype=dtype) for i, width in enumerate(widths)]


def mixed(name, *, dims=(6, 4)):
    """Draw what a unitwise operation mixes: the operands, and activated pieces."""
    activations = get_op(name).activations
    left, right, *pieces = [normal(*dims, seed=i) for i in range(2 + len(activations))]
    return left, right, [phi(piece) for phi, piece in zip(activations, pieces, strict=True)]


def only_combining(name):
    """Return an operation of the same value that says no more of it."""
    op = get_op(name)

    class Combining(Op):
        projects_left, projects_right = op.projects_left, op.projects_right
        reads_left, reads_right = op.reads_left, op.reads_right
        n_projections = op.n_projections

        def combine(self, left, right, projected):
            return op.combine(left, right, projected)

    return Combining()


def network_of(name, left="x", right="h"):
    net = Supernet(SHAPE, Mixing(SigmoidRelaxation()), dtype=torch.float64)
    cell = Cell((Node("lin_tanh", "x", "h"), Node(name, left, right)), outputs=(0, 1))
    AddBranch(Branch((cell,), 4, 3, "mixed", 3)).apply(net)
    perturb(net)
    return net


@every_op
def test_the_value_has_the_shape_and_dtype_of_the_operands(name):
    for dtype in (torch.float32, torch.float64):
        value = get_op(name).combine(*operands(name, dtype))
        assert value.shape == (6, 4)
        assert value.dtype == dtype


@every_op
def test_the_gradient_is_the_one_of_finite_differences(name):
    inputs = [x.requires_grad_() for x in operands(name)]
    assert torch.autograd.gradcheck(get_op(name).combine, inputs)


@every_op
def test_a_unit_depends_on_its_own_entries_alone(name):
    op, inputs = get_op(name), operands(name)
    before = op.combine(*inputs)
    changed = [x.clone() for x in inputs]
    for x in changed:
        x[:, -op.n_projections if x is changed[2] else -1 :] += 1.0
    after = op.combine(*changed)
    assert torch.equal(after[:, :-1], before[:, :-1])
    assert (after[:, -1] != before[:, -1]).all()


@every_op
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e4])
def test_value_and_gradient_are_finite_far_from_one(name, scale):
    inputs = [x.requires_grad_() for x in operands(name, torch.float32, scale)]
    value = get_op(name).combine(*inputs)
    assert value.isfinite().all()
    gradients = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    assert all(g is None or bool(g.isfinite().all()) for g in gradients)


@every_op
def test_the_value_depends_on_exactly_what_the_operation_says_it_reads(name):
    op = get_op(name)
    inputs = [x.requires_grad_() for x in operands(name)]
    gradients = torch.autograd.grad(op.combine(*inputs).sum(), inputs, allow_unused=True)
    depends = [g is not None and bool(g.any()) for g in gradients]
    assert depends == [op.reads_left, op.reads_right, op.has_projection]


@every_op
def test_the_value_is_zero_without_exactly_the_operands_the_operation_says_it_needs(name):
    op, (left, right, projected) = get_op(name), operands(name)
    zero = torch.zeros_like(left)
    assert (not op.combine(zero, right, projected).any()) == op.needs_left
    assert (not op.combine(left, zero, projected).any()) == op.needs_right


@every_unitwise_op
def test_a_unitwise_operation_has_an_activation_for_each_piece_of_its_projection(name):
    op = get_op(name)
    assert len(op.activations) == (op.n_projections if op.has_projection else 0)


def check_derivative(op, left, right, pieces):
    """Compare what an operation says with autograd, for a gradient a number and one for all."""
    inputs = [x.requires_grad_() for x in (left, right, *pieces)]
    value = op.mix(left, right, pieces)
    for grad in (normal(*value.shape, seed=9), normal(1, seed=9)[0]):
        expected = torch.autograd.grad(
            value, inputs, grad.expand_as(value), retain_graph=True, allow_unused=True
        )
        with torch.inference_mode():
            found = op.backward(grad.clone(), left, right, pieces, value)
        for ours, theirs in zip((found.left, found.right, *found.pieces), expected, strict=True):
            assert ours is not None or theirs is None
            if ours is not None:
                theirs = torch.zeros_like(left) if theirs is None else theirs
                torch.testing.assert_close(ours.expand_as(theirs), theirs, rtol=1e-12, atol=1e-12)
        yield found, expected


@every_unitwise_op
@pytest.mark.parametrize("dims", [(6, 4), (4, 3, 2), (1,)])
def test_the_derivative_it_says_is_autograds(name, dims):
    for found, expected in check_derivative(get_op(name), *mixed(name, dims=dims)):
        reads = [x is not None for x in (found.left, found.right, *found.pieces)]
        assert reads == [x is not None for x in expected]


@every_op
@pytest.mark.parametrize("dims", [(6, 4), (4, 3, 2)])
def test_an_operation_that_only_combines_gets_its_derivative_from_autograd(name, dims):
    op = unitwise(only_combining(name))
    left, right, *projected = [normal(*dims, seed=i) for i in range(2 + len(op.activations))]
    value = get_op(name).combine(
        left, right, torch.stack(projected, dim=-1).flatten(-2) if projected else left
    )
    torch.testing.assert_close(op.mix(left, right, projected), value, rtol=0, atol=0)
    assert len(list(check_derivative(op, left, right, projected))) == 2


@every_unitwise_op
def test_its_derivative_leaves_what_it_is_given_as_it_is(name):
    op, (left, right, pieces) = get_op(name), mixed(name)
    given = [normal(6, 4, seed=9), left, right, pieces, op.mix(left, right, pieces)]
    before = copy.deepcopy(given)
    op.backward(*given)
    torch.testing.assert_close(given, before, rtol=0, atol=0)


@every_unitwise_op
def test_its_activations_say_the_derivative_of_autograd(name):
    for activation in get_op(name).activations:
        x, grad = normal(6, 4, seed=0).requires_grad_(), normal(6, 4, seed=1)
        value = activation(x)
        (expected,) = torch.autograd.grad(value, x, grad)
        found = torch.empty_like(grad)
        activation.backward(grad, value.detach(), found)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        (expected,) = torch.autograd.grad(activation(x).sum(), x)
        activation.backward(grad[0, 0], value.detach(), found)
        torch.testing.assert_close(found, grad[0, 0] * expected, rtol=1e-12, atol=1e-12)


@every_unitwise_op
def test_its_activations_write_where_they_are_told_or_return_their_argument(name):
    for activation in get_op(name).activations:
        x = normal(6, 4, seed=0)
        expected, out = activation(x.clone()), torch.full_like(x, torch.nan)
        value = activation(x, out=out)
        assert value is out or value is x
        assert torch.equal(value, expected)
        assert activation(x, out=x) is x
        assert torch.equal(x, expected)


@every_unitwise_op
def test_it_writes_where_it_is_told_or_returns_an_argument(name):
    op, (left, right, pieces) = get_op(name), mixed(name)
    expected, out = op.mix(left, right, pieces), torch.full((6, 4), torch.nan, dtype=left.dtype)
    value = op.mix(left, right, pieces, out)
    assert any(value is place for place in (out, left, right, *pieces))
    assert torch.equal(value, expected)


@every_unitwise_op
def test_it_is_proportional_to_exactly_the_operands_it_says(name):
    op, (left, right, pieces) = get_op(name), mixed(name)
    value = op.mix(left, right, pieces)
    for is_linear, scaled in (
        (op.is_linear_left, op.mix(2.0 * left, right, pieces)),
        (op.is_linear_right, op.mix(left, 2.0 * right, pieces)),
    ):
        assert is_linear == torch.allclose(scaled, 2.0 * value, rtol=1e-12)


@every_unitwise_op
def test_what_it_is_without_a_right_operand_is_what_it_is_where_that_is_zero(name):
    op, (left, right, pieces) = get_op(name), mixed(name)
    if op.alone is None:
        pytest.skip("it is no other operation without a right operand")
    zero, nan = torch.zeros_like(right), torch.full_like(right, torch.nan)
    value, grad = op.alone.mix(left, nan, pieces), normal(6, 4, seed=5)
    assert torch.equal(value, op.mix(left, zero, pieces))
    found = op.alone.backward(grad, left, nan, pieces, value)
    expected = op.backward(grad, left, zero, pieces, value)
    assert torch.equal(found.left, expected.left)
    assert found.right is None


@every_unitwise_op
def test_a_sum_is_the_sum_of_its_operands(name):
    op, (left, right, pieces) = get_op(name), mixed(name)
    assert op.is_sum == torch.equal(op.mix(left, right, pieces), left + right)


@every_op
def test_each_row_of_a_batch_is_computed_for_itself(name):
    inputs = operands(name)
    together = get_op(name).combine(*inputs)
    alone = torch.cat([get_op(name).combine(*[x[[i]] for x in inputs]) for i in range(6)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("name", [n for n in registered_ops() if get_op(n).is_modulation])
def test_a_modulation_with_a_zero_projection_returns_its_left_operand_exactly(name):
    left, right, projected = operands(name)
    assert torch.equal(get_op(name).combine(left, right, torch.zeros_like(projected)), left)


def test_some_operation_is_a_modulation():
    assert any(get_op(name).is_modulation for name in registered_ops())


@every_op
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_network_with_it_can_be_copied_and_pickled(name, clone):
    net = network_of(name)
    twin, past = clone(net), windows()
    assert torch.equal(twin(past), net(past))
    before = net(past)
    perturb(twin)
    assert torch.equal(net(past), before)


@every_op
@pytest.mark.parametrize(("left", "right"), [("x", "h"), ("h", "x"), ("s0", "h"), ("x", "x")])
def test_a_node_with_it_can_be_widened(name, left, right):
    net, past = network_of(name, left, right), windows()
    before = net(past)
    Widen(0, 3).apply(net, generator())
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    assert net.trunk.branches[0].hidden_size == 7


@every_op
def test_a_node_can_take_it_as_a_further_candidate(name):
    other = "add" if name != "add" else "hadamard"
    net, past = network_of(other, "s0", "x"), windows()
    before = net(past)
    AddOp(NodePlace(0, 0, 1), name).apply(net)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)


def test_the_default_operations_are_registered_and_unique():
    assert set(DEFAULT_OPERATIONS) <= set(registered_ops())
    assert len(set(DEFAULT_OPERATIONS)) == len(DEFAULT_OPERATIONS)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"operations must be among \[.*'add'.*\]; got 'convolve'"):
        get_op("convolve")


def test_a_name_can_be_given_only_once():
    with pytest.raises(ValueError, match="must be unique; got 'add' again"):
        register_op("add")(Op)


def test_an_operation_that_is_taken_back_leaves_its_name_free():
    before = registered_ops()
    for _ in range(2):
        register_op("own")(type(get_op("add")))
        assert registered_ops() == (*before, "own")
        unregister_op("own")
    assert registered_ops() == before
    with pytest.raises(ValueError, match="got 'own'"):
        unregister_op("own")
