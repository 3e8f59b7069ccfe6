"""The section for the budget: the company with customers still to come, ahead and in the past."""
