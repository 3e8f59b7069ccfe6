"""Controlled experiments on the business's customers: read, planned, and kept in a log."""
