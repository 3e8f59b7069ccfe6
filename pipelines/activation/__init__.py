"""Whom to talk to: audiences of the customer forecast, and how they changed."""
