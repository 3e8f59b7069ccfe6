"""What forecasts are worth: LTV, CLV, tiers, the historical formulas."""
