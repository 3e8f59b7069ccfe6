"""Jobs for who runs the business: whom to talk to, what is tried, and what came of it."""
