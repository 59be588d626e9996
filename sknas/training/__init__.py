"""Training with skorch: the search's epochs, and the derived network's."""

from sknas.training.batches import float_type, samples_per_step
from sknas.training.judging import (
    is_clear_gain,
    is_likely_gain,
    make_probe,
    mean_loss,
    validation_losses,
)
from sknas.training.keeping import NOTHING_KEPT, Keeper
from sknas.training.narrowing import narrow
from sknas.training.onlooker import Onlooker
from sknas.training.phases import Phase, run_search, train_network
from sknas.training.planting import grow_from, plant_seed, seed_loss, solve_seed
from sknas.training.problem import Problem, Schedule
from sknas.training.reseeding import move_seed
from sknas.training.runtime import prediction_runtime, torch_runtime
from sknas.training.seeding import seed_learns

__all__ = [
    "NOTHING_KEPT",
    "Keeper",
    "Onlooker",
    "Phase",
    "Problem",
    "Schedule",
    "float_type",
    "grow_from",
    "is_clear_gain",
    "is_likely_gain",
    "make_probe",
    "mean_loss",
    "move_seed",
    "narrow",
    "plant_seed",
    "prediction_runtime",
    "run_search",
    "samples_per_step",
    "seed_learns",
    "seed_loss",
    "solve_seed",
    "torch_runtime",
    "train_network",
    "validation_losses",
]
