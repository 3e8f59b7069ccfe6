"""What the cohort history says of unit economics."""
