"""What earlier origins of the same log teach a cohort forecast, and the words for it."""
