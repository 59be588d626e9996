"""Two-input candidate operations, (batch, hidden) x 2 -> (batch, hidden)."""

from sknas.ops import elementwise, gated, highway, linear
from sknas.ops.activations import IDENTITY, RELU, SIGMOID, TANH, Activation
from sknas.ops.base import (
    Op,
    OpGradients,
    UnitwiseOp,
    get_op,
    register_op,
    registered_ops,
    unregister_op,
)
from sknas.ops.differentiated import unitwise
from sknas.ops.highway import Highway

DEFAULT_OPERATIONS = (
    "first",
    "second",
    "add",
    "hadamard",
    "lin_tanh",
    "lin_sigmoid",
    "lin_relu",
    "lin_identity",
    "gate",
)

DAG_OPERATIONS = ("highway_tanh", "highway_relu", "highway_sigmoid", "highway_identity")

__all__ = [
    "DAG_OPERATIONS",
    "DEFAULT_OPERATIONS",
    "IDENTITY",
    "RELU",
    "SIGMOID",
    "TANH",
    "Activation",
    "Highway",
    "Op",
    "OpGradients",
    "UnitwiseOp",
    "elementwise",
    "gated",
    "get_op",
    "highway",
    "linear",
    "register_op",
    "registered_ops",
    "unitwise",
    "unregister_op",
]
