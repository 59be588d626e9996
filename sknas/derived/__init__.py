"""The fixed network: Genotype -> nn.Module."""

from sknas.derived.averaging import average_networks
from sknas.derived.cell import DerivedCell
from sknas.derived.frozen import FrozenNetwork
from sknas.derived.network import DerivedNetwork, NetworkSpec
from sknas.derived.reaching import lengthened

__all__ = [
    "DerivedCell",
    "DerivedNetwork",
    "FrozenNetwork",
    "NetworkSpec",
    "average_networks",
    "lengthened",
]
