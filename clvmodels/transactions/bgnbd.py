"""The BG/NBD model of Fader, Hardie and Lee."""

from __future__ import annotations

from clvmodels.transactions.beta_geometric import BetaGeometricModel


class BGNBD(BetaGeometricModel):
    r"""Beta-geometric / negative binomial distribution model.

    While alive a customer buys as a Poisson process of rate lambda; after every repeat purchase
    she leaves for good with probability p. Across customers lambda ~ Gamma(r, alpha) and
    p ~ Beta(a, b), independently. A customer without repeat purchases is alive by construction.

    The likelihood of a history of x repeat purchases, the last at t_x, observed for T, is
    (Fader, Hardie & Lee 2005, equation 6)

    .. math::
       L = \frac{B(a, b+x)}{B(a, b)} \frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)}
           \left[ (\alpha+T)^{-(r+x)}
           + 1_{x>0} \frac{a}{b+x-1} (\alpha+t_x)^{-(r+x)} \right],

    the probability of being alive is the first summand's share of the bracket, and expected
    purchases (equation 10) are that probability times
    :func:`clvmodels.numerics.special.purchases_until_dropout` at k = r+x, b+x and z = t /
    (alpha+T).

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
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the easy way:
    an alternative to the Pareto/NBD model. Marketing Science 24(2), 275-284.

    Examples
    --------
    >>> model = BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> round(float(model.expected_purchases_new_customer(52)), 3)
    1.444
    """

    _first = 0
