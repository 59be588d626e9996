"""Write a network with its scales as an ONNX file, whose loops over time stay loops.

Torch's exporters unroll a loop, so that a file would grow with the lookback, and so would the time
to load it. Here a cell is a node of its own while torch writes the network; one step of the cell is
written by itself; and then it becomes the body of an ONNX ``Scan`` in the place of that node.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from sknas._version import __version__
from sknas.blocks import carry_on
from sknas.derived import DerivedCell
from sknas.genotype import INPUT
from sknas.loops import RecordedStep

__all__ = ["write_onnx"]

OPSET = 18
_BATCH = "batch"
_DOMAIN, _LOOP = "sknas", "Loop"

_Sizes = tuple[int, None, int]  # n_steps, batch, n_hidden


def write_onnx(
    module: nn.Module,
    path: str | PathLike[str],
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, int],
    metadata: Mapping[str, str],
) -> None:
    """Write a module as an ONNX file of any batch size.

    Parameters
    ----------
    module : nn.Module
        What to write; it returns a tuple. It stays as it is.
    path : str or path-like
        The file.
    inputs : mapping of str to Tensor
        Names of the arguments, and examples of them; their first axis is that of the batch.
    outputs : mapping of str to int
        Names of what the module returns, and the axis of the batch in each.
    metadata : mapping of str to str
        What else the file tells.

    Raises
    ------
    ImportError
        If onnx is not installed.
    """
    onnx = _onnx()
    module = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
    with torch.no_grad():
        told = module(*inputs.values())
    steps = _roll_up(module)
    batch = dict.fromkeys(inputs, 0)
    opsets = {_DOMAIN: 1} if steps else {}  # of which none may go unused
    model = _traced(module, tuple(inputs.values()), batch, outputs, opsets)
    for node in model.graph.node:
        if node.domain == _DOMAIN and node.op_type == _LOOP:
            _make_scan(node, steps[onnx.helper.get_node_attr_value(node, "number")])
    for value, example, axis in zip(model.graph.output, told, outputs.values(), strict=True):
        _declare_sizes(value, example, axis)
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    model.producer_name, model.producer_version = "sknas", __version__
    onnx.helper.set_model_props(model, {"sknas_version": __version__, **metadata})
    onnx.checker.check_model(model, full_check=True)
    Path(path).write_bytes(model.SerializeToString())


def _onnx() -> Any:  # noqa: ANN401 (an optional package)
    try:
        return import_module("onnx")
    except ImportError as error:
        raise ImportError(
            "to_onnx needs onnx, which is not installed: pip install 'sknas[export]'."
        ) from error


def _traced(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: Mapping[str, int],
    outputs: Mapping[str, int],
    custom_opsets: Mapping[str, int],
) -> Any:  # noqa: ANN401 (as above)
    """Return what torch writes of a module; names come with the axis of the batch."""
    onnx, written = _onnx(), io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # Torch warns that this is its older exporter, and of sizes in Python's numbers, which are
        # the same for every batch. What the newer one writes of a clamped state of zeros (torch
        # 2.13), onnxruntime does not load.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            arguments,
            written,  # type: ignore[arg-type]  # what torch writes to a path, it writes to a file
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {axis: _BATCH} for name, axis in {**inputs, **outputs}.items()},
            opset_version=OPSET,
            custom_opsets=custom_opsets,
            dynamo=False,
        )
    return onnx.load_model_from_string(written.getvalue())


def _declare_sizes(value: Any, example: Tensor, axis: int) -> None:  # noqa: ANN401 (as above)
    """State the sizes of an output, of which torch does not know all."""
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for place, size in enumerate(example.shape):
        if place == axis:
            shape.dim.add(dim_param=_BATCH)
        else:
            shape.dim.add(dim_value=size)


# -- cells ---------------------------------------------------------------------------------------


def _roll_up(module: nn.Module) -> list[_Step]:
    """Put a node of its own in the place of each cell; return the cells' steps by number."""
    steps: list[_Step] = []
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, DerivedCell):
                parent.add_module(name, _RolledCell(child, len(steps)))
                steps.append(_Step(child))
    return steps


class _RolledCell(nn.Module):
    """A cell that torch writes as one node, behind the product of its input."""

    def __init__(self, cell: DerivedCell, number: int) -> None:
        super().__init__()
        self.cell, self.number = cell, number
        self.on_input = cell.packed().on_input

    def forward(self, inputs: Tensor, present: Tensor | None = None) -> Tensor:
        """Run over a sequence, as the cell does."""
        entering = inputs if self.cell.plan.on_input is None else inputs @ self.on_input
        start = inputs.new_zeros(inputs.shape[1], self.cell.n_hidden)
        operands = [start, entering, *([] if present is None else [present])]
        written: Tensor = _Loop.apply(  # type: ignore[no-untyped-call]
            self.number, (int(inputs.shape[0]), None, self.cell.n_hidden), *operands
        )
        return written


class _Loop(Function):
    """A node of any numbers: torch writes its operands, and the shape of its result."""

    @staticmethod
    def forward(
        ctx: object, number: int, sizes: _Sizes, start: Tensor, *sequences: Tensor
    ) -> Tensor:
        """Return zeros, (n_steps, batch, n_hidden)."""
        del ctx, number, sequences
        return start.new_zeros(sizes[0], *start.shape)

    @staticmethod
    def symbolic(g: Any, number: int, sizes: _Sizes, *operands: Any) -> Any:  # noqa: ANN401
        """Return the node; the types are torch's own."""
        written = g.op(f"{_DOMAIN}::{_LOOP}", *operands, number_i=number)
        return written.setType(operands[1].type().with_sizes(list(sizes)))


class _Step(nn.Module):
    """One step of a cell: from a state to the next, the memory behind each where there is one."""

    def __init__(self, cell: DerivedCell) -> None:
        super().__init__()
        self.cell, weights = cell, cell.packed()
        # One number a unit, since single numbers lose digits: torch writes them in single
        # precision, and onnxruntime makes such factors of matrix products.
        weights = weights._replace(
            factors=weights.factors.unsqueeze(1).repeat(1, cell.n_hidden),
            outputs=weights.outputs.unsqueeze(1).repeat(1, cell.n_hidden),
        )
        self.width = cell.n_inputs if cell.plan.on_input is None else weights.on_input.shape[1]
        self.step = RecordedStep(cell.plan, weights, cell.n_hidden)

    def examples(self, *, is_masked: bool) -> dict[str, Tensor]:
        """Return what `forward` takes, by the names of the arguments that there are."""
        cell, zeros = self.cell, self.cell.output_weights.new_zeros
        found = {"state": zeros(2, cell.n_hidden)}
        if cell.has_memory:
            found["memory"] = zeros(2, cell.n_hidden)
        found["entering"] = zeros(2, self.width)
        if is_masked:
            found["present"] = torch.ones(2, 1, dtype=torch.bool)
        return found

    def forward(self, state: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Return the next state, and memory."""
        rest = list(others)
        memory = rest.pop(0) if self.cell.has_memory else None
        entering, present = rest[0], (rest[1] if len(rest) > 1 else None)
        read = {} if self.cell.plan.on_input is None else {INPUT: entering}
        state, memory = carry_on(partial(self.step.update, entering=read), state, memory, present)
        return (state,) if memory is None else (state, memory)


def _make_scan(node: Any, step: _Step) -> None:  # noqa: ANN401 (a node of onnx)
    """Turn the node of a cell into a loop over its step."""
    helper = _onnx().helper
    start, *sequences = node.input
    examples = step.examples(is_masked=len(sequences) == 2)
    carried = [name for name in ("state", "memory") if name in examples]
    prefix = f"{node.name}/"
    told = {f"next_{name}": 0 for name in carried}
    body = _traced(step, tuple(examples.values()), dict.fromkeys(examples, 0), told, {}).graph
    # An input that the step does not read is one of the loop's body all the same.
    given = {value.name: value for value in body.input}
    inputs = [given.get(name) or _declared(name, example) for name, example in examples.items()]
    del body.input[:]
    body.input.extend(inputs)
    body.node.append(helper.make_node("Identity", ["next_state"], ["after"]))
    after = copy.deepcopy(body.output[0])
    after.name = "after"
    body.output.append(after)
    body = _onnx().compose.add_prefix_graph(body, prefix)
    states, name = node.output[0], node.name
    last = [f"{prefix}last_{carried_name}" for carried_name in carried]
    scan = helper.make_node(
        "Scan",
        [*[start for _ in carried], *sequences],
        [*last, states],
        name=name,
        body=body,
        num_scan_inputs=len(sequences),
    )
    node.CopyFrom(scan)


def _declared(name: str, example: Tensor) -> Any:  # noqa: ANN401 (a value of onnx)
    onnx = _onnx()
    kind = onnx.TensorProto.BOOL if example.dtype == torch.bool else onnx.TensorProto.DOUBLE
    return onnx.helper.make_tensor_value_info(name, kind, [_BATCH, example.shape[1]])
