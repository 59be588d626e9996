"""Pictures of what was found and forecast; they need matplotlib, the extra `plot`."""

from sknas.inspection.forecast_display import ForecastDisplay
from sknas.inspection.genotype_display import GenotypeDisplay
from sknas.inspection.search_history_display import SearchHistoryDisplay

__all__ = ["ForecastDisplay", "GenotypeDisplay", "SearchHistoryDisplay"]
