"""Two-input candidate operations, (batch, hidden) x 2 -> (batch, hidden)."""

from sknas.ops import elementwise, gated, linear
from sknas.ops.base import Op, get_op, register_op, registered_ops

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

__all__ = [
    "DEFAULT_OPERATIONS",
    "Op",
    "elementwise",
    "gated",
    "get_op",
    "linear",
    "register_op",
    "registered_ops",
]
