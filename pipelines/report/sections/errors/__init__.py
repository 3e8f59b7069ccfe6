"""Sections on past errors: model by model, cohort by month, tenth by tenth of customers."""
