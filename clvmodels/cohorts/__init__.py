"""The cohort forecast: level, season and trend by cohort and month, with intervals."""
