"""Controlled experiments: effects with intervals, their checks, and how many customers."""
