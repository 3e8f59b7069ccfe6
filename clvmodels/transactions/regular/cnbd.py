"""BG/CNBD-k and MBG/CNBD-k."""

from __future__ import annotations

from collections.abc import Iterable

from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.beta_geometric import BGNBD, MBGNBD
from clvmodels.transactions.regular.erlang import ErlangModel


class BGCNBD(ErlangModel):
    r"""Beta-geometric / condensed negative binomial distribution model with Erlang-k gaps.

    As :class:`~clvmodels.transactions.beta_geometric.BGNBD`, with purchases that come more evenly
    than by chance. The likelihood of a history of x repeat purchases, the last at t_x, observed
    for T, is up to what does not depend on the parameters

    .. math::
       L = \frac{B(a, b+x)}{B(a, b)} \frac{\Gamma(r+kx)\,\alpha^r}{\Gamma(r)}
           \left[ \sum_{j<k} \frac{(r+kx)_j}{j!} \frac{(T-t_x)^j}{(\alpha+T)^{r+kx+j}}
           + 1_{x>0} \frac{a}{b+x-1} (\alpha+t_x)^{-(r+kx)} \right],

    the probability of being alive is the first summand's share of the bracket, and expected
    purchases are that probability times
    :func:`clvmodels.numerics.stages.purchases_in_stages`, which is exact (the paper approximates).
    ``log_likelihood_`` is that of frequency, recency and T, on the scale of BG/NBD's.

    Parameters
    ----------
    penalty, purchase_covariates, dropout_covariates, k
        See :class:`ErlangModel`. Covariates, less their mean, scale lambda by exp(gamma' z)
        through alpha, and a and b by their own exp(gamma_a' z), exp(gamma_b' z); coefficients are
        named ``purchase:z``, ``dropout_a:z`` and ``dropout_b:z``.

    Attributes
    ----------
    k_ : int
        Stages from one purchase to the next.
    params_ : dict
        ``r`` (shape) and ``alpha`` (in the unit of T) of the rate of stages, ``a`` and ``b``;
        with covariates, of a customer who has their mean.

    References
    ----------
    Reutterer, T., Platzer, M. and Schroeder, N. (2021). Leveraging purchase regularity for
    predicting customer behavior the easy way. International Journal of Research in Marketing
    38(1), 194-215.
    """

    _first = 0
    of_chance = BGNBD


class MBGCNBD(ErlangModel):
    """Modified BG/CNBD-k: a customer may leave after her first purchase too.

    As :class:`BGCNBD`, with one more chance to leave, at time 0, as
    :class:`~clvmodels.transactions.beta_geometric.MBGNBD` has it.

    Parameters
    ----------
    penalty, purchase_covariates, dropout_covariates, k
        As in :class:`BGCNBD`.

    Attributes
    ----------
    k_ : int
        Stages from one purchase to the next.
    params_ : dict
        ``r`` (shape) and ``alpha`` (in the unit of T) of the rate of stages, ``a`` and ``b``;
        with covariates, of a customer who has their mean.

    References
    ----------
    Reutterer, T., Platzer, M. and Schroeder, N. (2021). Leveraging purchase regularity for
    predicting customer behavior the easy way. International Journal of Research in Marketing
    38(1), 194-215.
    """

    _first = 1
    of_chance = MBGNBD


def distinct(models: Iterable[TransactionModel]) -> list[TransactionModel]:
    """Leave out fitted models of one stage beside the model of chance that they are."""
    kept: list[TransactionModel] = []
    for model in models:
        kinds = {type(other) for other in kept}
        if not (isinstance(model, ErlangModel) and model.k_ == 1 and model.of_chance in kinds):
            kept.append(model)
    return kept
