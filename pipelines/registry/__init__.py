"""Saved models, verified by digest, and their cards."""
