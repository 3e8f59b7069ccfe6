"""Sections on the customers: who is alive, who churns, who is worth what, and what segments buy."""
