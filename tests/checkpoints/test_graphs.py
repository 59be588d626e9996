"""Graphs of live objects survive being written, and what is read can do no harm."""

import pickle
from collections import deque

import numpy as np
import pytest
import torch

from sknas._checkpoints import dump, load
from sknas.search.averaging import WeightAverage
from tests.tiny import generator, learner, normal, windows


class Stranger:
    """A user's own rule, say."""

    def __init__(self, value):
        self.value = value


class Harm:
    """Runs a function when it is read by pickle."""

    def __init__(self, function, *arguments):
        self.function = function
        self.arguments = arguments

    def __reduce__(self):
        return self.function, self.arguments


def copied(value, types=(), **givens):
    return load(dump(value, givens), givens, types)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_tensors_keep_values_types_and_strides(dtype):
    tensor = normal(4, 6, seed=1).mul(10).to(dtype).t()[1:, ::2]
    found = copied(tensor)
    assert found.dtype == dtype
    assert found.stride() == tensor.stride()
    assert torch.equal(found, tensor)


def test_tensors_that_share_memory_share_it_again():
    whole = normal(10, seed=2)
    first, second = copied((whole, whole[3:5]))
    first[3] = 7.0
    assert second[0] == 7.0


def test_memory_is_aligned_as_torch_aligns_it():
    for tensor in copied([normal(n, seed=n) for n in (1, 3, 17)]):
        assert tensor.data_ptr() % 64 == normal(3, seed=0).data_ptr() % 64 == 0


def test_what_refers_to_one_weight_does_so_again():
    weight = torch.nn.Parameter(normal(3, seed=3))
    optimizer = torch.optim.SGD([weight], lr=0.5, momentum=0.9)
    weight.grad = torch.ones(3, dtype=torch.float64)
    optimizer.step()
    state = {"weight": weight, "optimizer": optimizer, "average": WeightAverage([weight])}
    found = copied(state)
    assert list(found["average"].averages) == [found["weight"]]
    for each in (state, found):
        each["weight"].grad = torch.ones(3, dtype=torch.float64)
        each["optimizer"].step()
    assert torch.equal(found["weight"], weight)
    assert found["weight"] is not weight


def test_a_learner_goes_on_as_the_one_that_was_written():
    written = learner()
    found = copied(written)
    past = windows()
    assert torch.equal(found.supernet(past), written.supernet(past))
    held = {id(weight) for weight in found.supernet.parameters()}
    assert all(id(weight) in held for weight in found.learning_weights())


def test_a_generator_goes_on_where_it_was():
    source = generator(5)
    torch.randn(3, generator=source)
    found = copied(source)
    assert torch.equal(torch.randn(4, generator=found), torch.randn(4, generator=source))


def test_a_given_is_not_written_but_found_again():
    data = normal(1000, seed=6)
    written = dump({"inside": [data]}, {"data": data})
    assert len(written) < 200
    assert load(written, {"data": data})["inside"][0] is data


def test_arrays_and_plain_python_survive():
    value = {"a": np.arange(3.0), "b": deque([1, "x"], maxlen=4), "c": np.float64(2.5), 3: {1, 2}}
    found = copied(value)
    assert np.array_equal(found.pop("a"), value.pop("a"))
    assert found == value


@pytest.mark.parametrize(
    "harm",
    [
        Harm(eval, "1"),
        Harm(print, "harm"),
        Harm(open, "harm"),
        Harm(np.load, "harm"),
        Harm(torch.load, "harm"),
        Harm(np.lib.format.open_memmap, "harm"),
        Stranger(1),
    ],
    ids=lambda harm: getattr(getattr(harm, "function", None), "__name__", "stranger"),
)
def test_what_no_state_is_made_of_is_refused(harm):
    with pytest.raises(pickle.UnpicklingError, match=r"a state must not be made of \w+"):
        copied(harm)


@pytest.mark.parametrize(
    "name",
    ["sknas.training.nets\ntime.monotonic", "sknas.training.nets\ntime", "sknas\n_version.os"],
)
def test_nothing_is_reached_through_a_module(name):
    with pytest.raises((pickle.UnpicklingError, AttributeError)):
        load(f"c{name}\n.".encode(), {})


def test_a_type_that_the_reader_brings_along_is_read():
    assert copied(Stranger(3), types=[Stranger]).value == 3


def test_a_function_without_a_name_cannot_be_written():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        dump(lambda: 1, {})
