"""How good a model is: baselines, the reference engine, fit, the choice on a holdout."""
