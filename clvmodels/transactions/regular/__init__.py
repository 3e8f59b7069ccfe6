"""Customers whose purchases come more evenly than by chance."""
