"""The fixed network: Genotype -> nn.Module."""

from sknas.derived.averaging import average_networks
from sknas.derived.cell import DerivedCell
from sknas.derived.network import DerivedNetwork, NetworkSpec

__all__ = ["DerivedCell", "DerivedNetwork", "NetworkSpec", "average_networks"]
