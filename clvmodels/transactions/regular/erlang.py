"""BG/CNBD-k and MBG/CNBD-k: BG/NBD and MBG/NBD of customers whose gaps are Erlang-k.

While alive a customer passes stages at rate lambda ~ Gamma(r, alpha), and every k-th stage is a
purchase: k = 1 is chance (the models of :mod:`clvmodels.transactions.beta_geometric`), and the
higher k, the more even the gaps. What is to come depends on the time since the last purchase too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy import special

from clvmodels.core.arguments import whole_number
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.summaries import Histories
from clvmodels.estimation.likelihood import Terms, Value, dot
from clvmodels.estimation.maximum import LogLikelihood
from clvmodels.estimation.parameters import RandomState
from clvmodels.estimation.saved import part_of
from clvmodels.numerics.special import draw_geometric, draw_poisson, log_rising, trigamma
from clvmodels.transactions.alive import Parameters
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.beta_geometric import R
from clvmodels.transactions.regular import likelihood
from clvmodels.transactions.regular.choice import MOST_STAGES, best_fit
from clvmodels.transactions.regular.forecasts import ErlangForecasts

if TYPE_CHECKING:
    import pandas as pd


_DRAWN_AT_ONCE = 5_000_000


class ErlangModel(ErlangForecasts):
    """Base of the two models; see the module.

    Parameters
    ----------
    penalty, purchase_covariates, dropout_covariates
        See :class:`clvmodels.transactions.base.TransactionModel`.
    k : int or "auto"
        Stages from one purchase to the next, 1 to 24; by default the number under which the
        purchases are likeliest. The table may say how even the gaps are (``log_gap_shares``, see
        :meth:`fit`); otherwise frequency, recency and T alone must tell, which takes more
        customers.
    """

    of_chance: ClassVar[type[TransactionModel]]
    """The model that it is where k is 1."""

    def __init__(
        self,
        penalty: float = 0.0,
        purchase_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
        k: int | Literal["auto"] = "auto",
    ) -> None:
        super().__init__(penalty, purchase_covariates, dropout_covariates)
        self.k = k

    def fit(self, summary: Any, weights: npt.ArrayLike | None = None) -> Self:
        """Estimate the parameters by maximum likelihood, and k where it is not given.

        Parameters
        ----------
        summary : DataFrame
            pandas, polars or pyarrow, with columns frequency, recency, T and, where rows stand
            for several customers, weight. Time may be in any unit. ``log_gap_shares``, where
            there is one, is the sum of ln(gap / recency) over the customer's gaps between
            purchases (0 without repeat purchases; the mean of the customers behind the row),
            and is read to choose k.
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
        if self.k != "auto":
            self.k_ = _stages(self.k)
            return super().fit(summary, weights)
        learned = best_fit(self._fit_with, summary, weights)
        vars(self).update(vars(learned))
        return self

    def _fit_with(self, k: int, summary: Any, weights: npt.ArrayLike | None) -> Self:
        model = type(self)(**self.get_params())
        model.k_ = k
        return super(ErlangModel, model).fit(summary, weights)

    @classmethod
    def from_params(cls, **params: float) -> Self:
        """Build a model from known parameters and k, e.g. published ones.

        Raises
        ------
        InvalidValueError
            If a parameter is missing, unknown, or not a positive number, or k is not one of the
            whole numbers that it can be.
        """
        others = dict(params)
        if "k" not in others:
            raise InvalidValueError(
                f"{cls.__name__} has the parameters {', '.join((*cls.parameter_names, 'k'))}; "
                f"found {', '.join(params) or 'none'}"
            )
        k = _stages(others.pop("k"))
        model = super().from_params(**others)
        model.k = model.k_ = k
        return model

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe description; it holds no customer data."""
        return super().to_dict() | {"k": self.k_}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Self:
        """Rebuild a model from :meth:`to_dict`.

        Raises
        ------
        ModelFileError
            If the description is of another model or a later version, is incomplete, or holds
            values that no model can have.
        """
        model = super().from_dict(description)
        with part_of(cls.__name__):
            model.k_ = _stages(description["k"])
        return model

    def resample(self, summary: Any, random_state: RandomState = None) -> pd.DataFrame:
        """Draw histories of new customers from the fitted model, in continuous time.

        Parameters
        ----------
        summary : DataFrame
            With T and the model's covariates; a whole-number ``weight`` repeats a row.
        random_state : int or Generator, optional

        Returns
        -------
        pandas.DataFrame
            frequency, recency, T, the covariates and log_gap_shares; one row a customer.
        """
        rng = np.random.default_rng(random_state)
        drawn = super().resample(summary, rng)
        return drawn.assign(log_gap_shares=self._draw_gaps(drawn["frequency"].to_numpy(), rng))

    # The likelihood

    def _start(self, data: Histories) -> Array:
        start = super()._start(data)
        start[1] -= np.log(self.k_)
        return start

    def _log_likelihood(self, data: Histories) -> LogLikelihood:
        of_stages = super()._log_likelihood(data)
        constant = dot(data.weight, likelihood.of_last_purchase(self.k_, data))

        def total(theta: Array) -> Any:
            result = of_stages(theta)
            result.value += constant
            return result

        return total

    def _terms(self, data: Histories, values: Sequence[Value]) -> Iterable[Terms]:
        yield from super()._terms(data, list(values)[:4])
        yield Terms(likelihood.of_last_purchase(self.k_, data), {}, {})

    def _count_terms(self, x: Array, r: Value, alpha: Value, a: Value, b: Value) -> Terms:
        """As of BG/NBD, with Gamma(r + k x) for Gamma(r + x)."""
        terms, stages = super()._count_terms(x, r, alpha, a, b), self.k_ * x
        return Terms(
            terms.value + log_rising(r, stages) - log_rising(r, x),
            dict(terms.gradient) | {R: special.psi(r + stages) - special.psi(r) + np.log(alpha)},
            dict(terms.hessian) | {(R, R): trigamma(r + stages) - trigamma(r)},
        )

    def _row_terms(
        self, x: Array, recency: Array, T: Array, r: Value, alpha: Value, a: Value, b: Value
    ) -> Terms:
        return likelihood.row_terms(self.k_, self._first, (x, recency, T), (r, alpha, a, b))

    # Drawn histories

    def _draw_histories(
        self, p: Parameters, T: Array, rng: np.random.Generator
    ) -> tuple[Integers, Array]:
        rate = rng.gamma(p["r"], size=T.shape) / p["alpha"]
        leave = rng.beta(p["a"], p["b"], T.shape)
        stages = draw_poisson(rate * T, rng)
        purchases = np.minimum(stages // self.k_, draw_geometric(leave, rng) - self._first)
        # The times of the stages are ordered uniforms.
        at = self.k_ * purchases
        last = rng.beta(np.maximum(at, 1), stages - at + 1)
        return purchases, np.where(purchases > 0, T * last, 0.0)

    def _draw_gaps(self, purchases: Integers, rng: np.random.Generator) -> Array:
        """Sums of the logarithms of Dirichlet(k, ..., k) shares, 0 where nothing was made."""
        total = np.zeros(purchases.size)
        ends = np.cumsum(purchases)
        parts = np.searchsorted(ends, np.arange(_DRAWN_AT_ONCE, purchases.sum(), _DRAWN_AT_ONCE))
        for rows in np.split(np.arange(purchases.size), np.unique(parts)):
            rows = rows[purchases[rows] > 0]
            if rows.size:
                gaps = np.maximum(rng.gamma(self.k_, size=int(purchases[rows].sum())), 1e-300)
                starts = np.cumsum(purchases[rows]) - purchases[rows]
                whole = np.log(np.add.reduceat(gaps, starts))
                total[rows] = np.add.reduceat(np.log(gaps), starts) - purchases[rows] * whole
        return total


def _stages(k: Any) -> int:
    if whole_number(k, "k", 1) > MOST_STAGES:
        raise InvalidValueError(f"k must be a whole number from 1 to {MOST_STAGES}; found {k}")
    return int(k)
