"""Forecasting: frames with a time axis in, frames that continue it out."""
