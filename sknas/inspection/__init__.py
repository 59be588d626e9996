"""Pictures of what was found and forecast; they need matplotlib, the extra `plot`."""

from sknas.inspection.forecast_display import ForecastDisplay

__all__ = ["ForecastDisplay"]
