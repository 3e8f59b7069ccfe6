"""Segments inside the customer models: what a channel or category says of who came by it."""
