"""The log as customer-days: every row accounted for, consent and privacy respected."""
