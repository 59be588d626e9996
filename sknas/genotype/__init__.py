"""The discrete architecture: frozen data, without weights and without torch."""

from sknas.genotype.architecture import Genotype
from sknas.genotype.named import NAMED_CELLS
from sknas.genotype.parts import INPUT, MEMORY, STATE, Branch, Cell, Node

__all__ = ["INPUT", "MEMORY", "NAMED_CELLS", "STATE", "Branch", "Cell", "Genotype", "Node"]
