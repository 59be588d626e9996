"""What estimators say of a fit."""

from sknas.reporting.report import GrowthEvent, SearchReport

__all__ = ["GrowthEvent", "SearchReport"]
