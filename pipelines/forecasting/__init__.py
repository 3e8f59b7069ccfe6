"""Fitted models to forecasts by customer, cohort, tier, segment and company."""
