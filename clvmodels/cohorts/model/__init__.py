"""The model of cohort-months: rates and order values by age, season, period and cohort."""
