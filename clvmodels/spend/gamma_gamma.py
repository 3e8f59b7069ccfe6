"""The Gamma-Gamma model of the value of purchases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import LARGEST, numbers
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError, warn_caller
from clvmodels.core.summaries import Spends, read_counts, read_spends
from clvmodels.estimation.likelihood import dot
from clvmodels.estimation.maximum import check_penalty, estimate, systematic_sample
from clvmodels.estimation.parameters import RandomState
from clvmodels.numerics.threads import one_blas_thread
from clvmodels.spend.base import SpendModel
from clvmodels.spend.likelihood import log_likelihood, moment_start

if TYPE_CHECKING:
    import pandas as pd


SAMPLE_ROWS = 60_000
SAMPLE_CUSTOMERS = 20_000


class GammaGamma(SpendModel):
    r"""Gamma-Gamma model of mean spend.

    The value of each purchase of a customer is Gamma(p, nu), and nu ~ Gamma(q, v) across
    customers, independently of how often they buy. The likelihood of a mean value m of x
    purchases is (Fader & Hardie 2013, equation 1a)

    .. math::
       L = \frac{\Gamma(px+q)}{\Gamma(px)\Gamma(q)}
           \frac{v^q m^{px-1} x^{px}}{(v+xm)^{px+q}} .

    Parameters
    ----------
    penalty : float
        L2 penalty on the logarithms of the parameters, with money in units of the mean spend;
        see :func:`clvmodels.estimation.maximum.estimate`.

    Attributes
    ----------
    params_ : dict
        ``p`` (shape within customers), ``q`` (shape across customers), ``v`` (in currency).

    Warns
    -----
    UserWarning
        In forecasts, if q <= 1; see :meth:`expected_spend`.

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2013). The Gamma-Gamma model of monetary value.
    http://www.brucehardie.com/notes/025/
    """

    parameter_names = ("p", "q", "v")
    advice: ClassVar = {
        "p": "Purchases of a customer hardly differ in value (or each customer has one value).",
        "q": "Customers hardly differ in their mean spend.",
        "v": "Customers hardly differ in their mean spend.",
    }

    def __init__(self, penalty: float = 0.0) -> None:
        self.penalty = penalty

    @one_blas_thread
    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Estimate the parameters by maximum likelihood from customers with repeat purchases.

        Parameters
        ----------
        summary : DataFrame
            pandas, polars or pyarrow, with columns frequency, monetary_value and, where rows
            stand for several customers, weight. Rows of frequency 0 are left out.
        weights : array_like, shape (n,), optional
            Customers behind each row; overrides the column.

        Returns
        -------
        self

        Raises
        ------
        DataError, InvalidValueError, MissingColumnError
            If the table cannot be used; the message names the first offending rows.

        Warns
        -----
        ConvergenceWarning
            If the data do not identify every parameter; the estimates are finite all the same.
        """
        check_penalty(self.penalty)
        data = read_spends(summary, weights, fit=True)
        customers = float(data.weight.sum())
        unit = dot(data.weight, data.monetary_value) / customers
        scaled = Spends(data.frequency, data.monetary_value / unit, data.weight)
        sample = None
        if data.size > SAMPLE_ROWS:
            rows, weight = systematic_sample(data.weight, SAMPLE_CUSTOMERS)
            sample = (log_likelihood(scaled.rows(rows, weight)), float(weight.sum()))
        result = estimate(
            log_likelihood(scaled),
            moment_start(scaled),
            self.parameter_names,
            customers,
            penalty=self.penalty,
            sample=sample,
            advice=self.advice,
            model=type(self).__name__,
        )
        in_units = result.log_likelihood - customers * float(np.log(unit))
        shift = np.array([0.0, 0.0, np.log(unit)])
        self._learn(self.parameter_names, result, shift, in_units, customers)
        return self

    def log_likelihood(self, summary: Any, weights: npt.ArrayLike | None = None) -> float:
        """Log-likelihood of any mean values at the model's parameters, a sum over customers.

        Parameters
        ----------
        summary, weights
            As for :meth:`fit`.
        """
        data = read_spends(summary, weights, fit=True)
        return log_likelihood(data)(np.log(list(self.params_.values()))).value

    @property
    def mean_spend_(self) -> float:
        """Mean value of a purchase across customers, p v / (q - 1); p v / q where q <= 1."""
        return float(self._spend(np.zeros(1), np.zeros(1))[0])

    def expected_spend(self, summary: Any) -> Array:
        """Expected mean value of a customer's future purchases.

        With q > 1 this is the posterior mean p (v + x m) / (p x + q - 1) (equation 5 of the
        note). With q <= 1 spend has no finite mean across customers; then p over the posterior
        mean of nu, p (v + x m) / (p x + q), is returned, with a warning: finite, positive and
        between the customer's own mean and p v / q.

        Parameters
        ----------
        summary : DataFrame
            With frequency and monetary_value (not read where frequency is 0).

        Returns
        -------
        ndarray, shape (n,)
        """
        data = read_spends(summary)
        return self._spend(data.frequency, data.monetary_value)

    def variation(self, summary: Any) -> tuple[Array, Array]:
        """Coefficients of variation of a customer's future purchases.

        Given nu a purchase has coefficient of variation p^-1/2; the customer's mean p / nu has
        (p x + q - 2)^-1/2 in the posterior. Where that variance is infinite (p x + q <= 2) the
        latter is taken at p x + q = 2.05.

        Parameters
        ----------
        summary : DataFrame
            With frequency and monetary_value.

        Returns
        -------
        within, between : ndarray, shape (n,)
            Of one purchase around the customer's own mean, and of that mean given the history.
        """
        data = read_spends(summary)
        p, q, _ = self.params_.values()
        excess = np.maximum(p * data.frequency + q - 2, 0.05)
        return np.full(data.size, p**-0.5), excess**-0.5

    def simulate(
        self, summary: Any, purchases: npt.ArrayLike, random_state: RandomState = None
    ) -> Array:
        """Draw the total value of given numbers of future purchases, exactly.

        Parameters
        ----------
        summary : DataFrame
            With frequency and monetary_value.
        purchases : array_like of int, shape (n, n_draws)
            Future purchase counts, as from a transaction model's ``simulate``.
        random_state : int or Generator, optional

        Returns
        -------
        ndarray, shape (n, n_draws)
            Total values; each column draws every customer's nu anew from its posterior.
        """
        rng = np.random.default_rng(random_state)
        data = read_spends(summary)
        counts = numbers(purchases, "purchases")
        if counts.ndim != 2 or counts.shape[0] != data.size:
            raise InvalidValueError(
                f"purchases must hold one row of counts for each of the {data.size} customers; "
                f"found shape {counts.shape}"
            )
        if not np.all((counts >= 0) & (counts <= LARGEST)):
            raise InvalidValueError(
                "purchases must be counts, finite and not negative; "
                f"found {counts[~((counts >= 0) & (counts <= LARGEST))][0]:g}"
            )
        p, q, v = self.params_.values()
        shape = (p * data.frequency + q)[:, None]
        scale = (v + data.frequency * data.monetary_value)[:, None]
        nu = np.maximum(rng.standard_gamma(np.broadcast_to(shape, counts.shape)), 1 / LARGEST)
        total = rng.standard_gamma(np.where(counts > 0, p * counts, 1.0)) / nu * scale
        return np.where(counts > 0, total, 0.0)

    def resample(self, summary: Any, random_state: RandomState = None) -> pd.DataFrame:
        """Draw mean values of purchases for new customers who buy as often as these.

        Parameters
        ----------
        summary : DataFrame
            With frequency; a whole-number ``weight`` repeats a row, frequency 0 is left out.
        random_state : int or Generator, optional

        Returns
        -------
        pandas.DataFrame
            frequency and monetary_value; one row a customer.
        """
        import pandas as pd

        rng = np.random.default_rng(random_state)
        x, weight = read_counts(summary)
        x = np.repeat(x, np.where(x > 0, weight, 0).astype(np.int64))
        p, q, v = self.params_.values()
        nu = np.maximum(rng.standard_gamma(q, x.shape), 1 / LARGEST)
        value = np.clip(rng.standard_gamma(p * x) / (nu * x) * v, 1 / LARGEST, LARGEST)
        return pd.DataFrame({"frequency": x, "monetary_value": value})

    def _spend(self, x: Array, m: Array) -> Array:
        p, q, v = self.params_.values()
        if q > 1:
            return p * (v + x * m) / (p * x + (q - 1))
        warn_caller(
            UserWarning(
                f"q = {q:.3g} <= 1: spend has no finite mean across customers. Expected spend is "
                "p (v + x m) / (p x + q) instead, shrunken and finite. Look for extreme values of "
                "monetary_value, or fit with penalty (0.01 is mild)."
            )
        )
        return p * (v + x * m) / (p * x + q)
