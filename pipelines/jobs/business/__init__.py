"""Jobs for who runs the business: what customers are worth, whom to talk to, what is tried."""
