"""What everything stands on: errors, calendar months, checked tables, scores, names of columns."""
