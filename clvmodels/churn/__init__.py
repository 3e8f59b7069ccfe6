"""Who buys no more within a horizon: gradient-boosted trees, calibrated, held as numbers."""

from clvmodels.churn.classifier import ChurnClassifier

__all__ = ["ChurnClassifier"]
