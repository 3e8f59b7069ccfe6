"""Forecasts made at past origins against what happened."""
