"""Jobs for who runs the business: what is tried and what came of it."""
