"""Forecasting: frames in, frames out."""
