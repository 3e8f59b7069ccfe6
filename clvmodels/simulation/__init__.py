"""Customers with known parameters, to test against."""
