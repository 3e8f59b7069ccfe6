"""The shifted beta-geometric model of contracts: at each renewal a customer stays or leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clvmodels.contracts.forecasts import ContractForecasts
from clvmodels.contracts.likelihood import by_customer, plain, row_terms
from clvmodels.core.arguments import column_names
from clvmodels.core.arrays import Array
from clvmodels.core.renewals import Renewals, read_opportunities, read_renewals
from clvmodels.core.summaries import Histories
from clvmodels.estimation.covariate_parameters import CovariateParameters
from clvmodels.estimation.covariates import (
    CovariateEffects,
    Effect,
    Scaling,
    values_of_new_customer,
)
from clvmodels.estimation.likelihood import dot
from clvmodels.estimation.maximum import check_penalty, estimate
from clvmodels.estimation.parameters import RandomState
from clvmodels.numerics.special import draw_geometric
from clvmodels.numerics.threads import one_blas_thread

if TYPE_CHECKING:
    import pandas as pd


class ShiftedBetaGeometric(CovariateParameters, ContractForecasts):
    r"""Shifted beta-geometric model of how often a contract is renewed.

    At each renewal a customer leaves with a probability of her own, Beta(alpha, beta) across
    customers. That she leaves at the renewal after r of them, and that she is still there after
    r, have the probabilities (Fader & Hardie 2007, equations 5 and 6)

    .. math::
       \frac{B(\alpha+1, \beta+r)}{B(\alpha, \beta)} \qquad\text{and}\qquad
       S(r) = \frac{B(\alpha, \beta+r)}{B(\alpha, \beta)} .

    The share of customers who renew rises with every renewal, since those who leave easily have
    left: of who has renewed r times, (beta + r) / (alpha + beta + r) renew the next time.

    Parameters
    ----------
    penalty : float
        L2 penalty on the logarithms of the parameters; see
        :func:`clvmodels.estimation.maximum.estimate`.
    covariates : sequence of str
        Columns of static covariates z, of the plan or the customer, that scale alpha and beta by
        exp(gamma_alpha' z) and exp(gamma_beta' z) of their distance from the mean (the
        beta-logistic model of Heckman & Willis 1977); their coefficients, ``alpha:z`` and
        ``beta:z``, join ``params_``. A text is one name.

    Attributes
    ----------
    params_ : dict
        ``alpha`` and ``beta``; with covariates, of a customer who has their mean.
    covariate_centre_, covariate_scale_ : dict of str to float
        Mean and standard deviation of each covariate over the customers of the fit.

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2007). How to project customer retention. Journal of
    Interactive Marketing 21(1), 76-90.

    Fader, P. S. and Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting:
    the perils of ignoring heterogeneity. Marketing Science 29(1), 85-93.

    Heckman, J. J. and Willis, R. J. (1977). A beta-logistic model for the analysis of sequential
    labor force participation by married women. Journal of Political Economy 85(1), 27-58.

    Examples
    --------
    >>> model = ShiftedBetaGeometric.from_params(alpha=0.704, beta=1.182)
    >>> model.survival([1, 7, 12]).round(3).tolist()
    [0.627, 0.239, 0.17]
    """

    parameter_names = ("alpha", "beta")
    advice: ClassVar = {
        "alpha": "Customers hardly differ in how readily they leave (or nobody or everybody did).",
        "beta": "Customers hardly differ in how readily they leave (or nobody or everybody did).",
    }

    def __init__(self, penalty: float = 0.0, covariates: Sequence[str] = ()) -> None:
        self.penalty = penalty
        self.covariates = covariates

    @one_blas_thread
    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        summary : DataFrame
            pandas, polars or pyarrow, with columns renewals (made so far), churned (1 where the
            contract was not renewed the next time, 0 where that is still to come) and, where
            rows stand for several customers, weight. ``renewals_table`` makes one of the
            survivors of a cohort; rows of several cohorts may stand together.
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
        effects = self._effects
        data = read_renewals(summary, weights, effects.columns, fit=True)
        customers = float(data.weight.sum())
        scaling = Scaling.of(_customers(data))
        design = effects.design(_customers(data), scaling)
        names, free = self._names, np.flatnonzero(design.free)
        found = estimate(
            by_customer(data, design) if free.size > 2 else plain(data),
            np.append(_start(data), np.zeros(free.size - 2)),
            [names[i] for i in free],
            customers,
            penalty=self.penalty,
            advice=self.advice,
            model=type(self).__name__,
        )
        found = self._with_constants(found, design)
        self._scaling = scaling
        self._learn(names, found, np.zeros(len(names)), found.log_likelihood, customers)
        return self

    def log_likelihood(self, summary: Any, weights: npt.ArrayLike | None = None) -> float:
        """Log-likelihood of any contracts at the model's parameters, a sum over customers.

        Parameters
        ----------
        summary, weights
            As for :meth:`fit`.
        """
        data = read_renewals(summary, weights, self._effects.columns, fit=True)
        values = list(self._parameters(data).values())
        return dot(data.weight, row_terms(data.renewals, data.churned, values).value)

    def resample(self, summary: Any, random_state: RandomState = None) -> pd.DataFrame:
        """Draw contracts of new customers from the fitted model.

        Parameters
        ----------
        summary : DataFrame
            With opportunities (renewals that there were to be made) and the model's covariates;
            a whole-number ``weight`` repeats a row.
        random_state : int or Generator, optional

        Returns
        -------
        pandas.DataFrame
            renewals, churned, opportunities and the covariates; one row a customer.
        """
        import pandas as pd

        rng = np.random.default_rng(random_state)
        data = read_opportunities(summary, self._effects.columns)
        rows = np.repeat(np.arange(data.weight.size), data.weight.astype(np.int64))
        alpha, beta = self._alpha_beta(data)
        stays = draw_geometric(rng.beta(alpha[rows], beta[rows]), rng) - 1
        most = data.renewals[rows].astype(np.int64)
        return pd.DataFrame(
            {
                "renewals": np.minimum(stays, most),
                "churned": (stays < most).astype(np.int64),
                "opportunities": most,
                **{name: values[rows] for name, values in data.covariates.items()},
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer data."""
        described = super().to_dict()
        described["settings"]["covariates"] = list(column_names(self.covariates, "covariates"))
        return described

    @property
    def _effects(self) -> CovariateEffects:
        columns = column_names(self.covariates, "covariates")
        effects = (Effect("alpha", 1.0, "alpha"), Effect("beta", 1.0, "beta"))
        return CovariateEffects(self.parameter_names, [(effect, columns) for effect in effects])

    def _parameters(self, data: Renewals) -> dict[str, Any]:
        return self._effects.natural(self.params_, data.covariates, self._scaling)

    def _of_customers(self, table: Any) -> tuple[Renewals, Array, Array]:
        data = read_renewals(table, covariates=self._effects.columns)
        alpha, beta = self._alpha_beta(data)
        return data, alpha, beta + data.renewals

    def _of_new_customer(self, covariates: Mapping[str, float] | None) -> tuple[float, float]:
        names = self._effects.columns
        values = values_of_new_customer(covariates, names, self._scaling)
        p = self._effects.natural(self.params_, values, self._scaling)
        return float(np.ravel(p["alpha"])[0]), float(np.ravel(p["beta"])[0])

    def _alpha_beta(self, data: Renewals) -> tuple[Array, Array]:
        p, shape = self._parameters(data), data.weight.shape
        return np.broadcast_to(p["alpha"], shape), np.broadcast_to(p["beta"], shape)


def _start(data: Renewals) -> Array:
    """One beta as wide as a uniform, of the share that left at a renewal."""
    left = dot(data.weight, data.churned)
    share = np.clip(left / max(left + dot(data.weight, data.renewals), 1e-12), 0.01, 0.9)
    return np.log([1.0, 1.0 / share - 1.0])


def _customers(data: Renewals) -> Histories:
    """The customers' covariates, as those of purchase histories are read."""
    zero = np.zeros_like(data.weight)
    return Histories(data.renewals, zero, zero, data.weight, data.covariates)
