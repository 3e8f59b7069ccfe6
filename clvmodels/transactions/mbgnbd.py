"""The MBG/NBD model of Batislam, Denizel and Filiztekin."""

from __future__ import annotations

from clvmodels.transactions.beta_geometric import BetaGeometricModel


class MBGNBD(BetaGeometricModel):
    r"""Modified BG/NBD: a customer may leave after her first purchase too.

    As :class:`clvmodels.transactions.bgnbd.BGNBD`, with one more chance to leave, at time 0, so
    that customers without repeat purchases need not be alive. With y = x + 1 chances the likelihood
    is

    .. math::
       L = \frac{B(a, b+x+1)}{B(a, b)} \frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)}
           \left[ (\alpha+T)^{-(r+x)} + \frac{a}{b+x} (\alpha+t_x)^{-(r+x)} \right].

    Parameters
    ----------
    penalty, purchase_covariates, dropout_covariates
        See :class:`clvmodels.transactions.base.TransactionModel`. Covariates, less their mean,
        scale lambda by exp(gamma' z) through alpha, and a and b by their own exp(gamma_a' z),
        exp(gamma_b' z); coefficients are named ``purchase:z``, ``dropout_a:z`` and ``dropout_b:z``.

    Attributes
    ----------
    params_ : dict
        ``r`` (shape), ``alpha`` (in the unit of T), ``a`` and ``b``; with covariates, of a
        customer who has their mean.

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007). Empirical validation and comparison
    of models for customer base analysis. International Journal of Research in Marketing 24(3),
    201-209.
    """

    _first = 1
