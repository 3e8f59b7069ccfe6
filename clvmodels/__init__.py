"""Customer lifetime value: the mathematics. Tables in, fitted models and forecasts out."""
