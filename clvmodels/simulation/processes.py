"""How simulated customers differ: the mixing distributions of the buy-till-you-die models.

Sources
-------
Fader, Hardie and Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24(2),
assumptions (i) to (v) (BG/NBD); Batislam, Denizel and Filiztekin (2007), IJRM 24 (MBG/NBD);
Schmittlein, Morrison and Colombo (1987), Management Science 33(1) (Pareto/NBD);
Reutterer, Platzer and Schroeder (2021), IJRM 38(1) (BG/CNBD-k and MBG/CNBD-k);
Fader and Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing
21(1) (contracts);
Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value", equations (1a) to (1c).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from clvmodels.core.arguments import is_finite, whole_number
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError


@dataclass(frozen=True)
class Traits:
    """What a process draws for each customer, arrays of shape (n,).

    ``rate`` is purchases per day while active, ``dropout`` the model's own dropout parameter
    (probability per purchase, or rate per day), ``lifetime`` days from the first purchase to the
    dropout and ``most_repeats`` the repeat purchases made until then; the one that the model does
    not speak of is infinite. Every ``stages``-th event of a Poisson process is a purchase (1: all
    are); with a ``period`` purchases come so many days apart, and chance has no part in when.
    """

    rate: Array
    dropout: Array
    lifetime: Array
    most_repeats: Array
    stages: int = 1
    period: float | None = None


class Process(Protocol):
    """A purchase process with dropout: draws the traits of ``n`` customers."""

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        ...


@dataclass(frozen=True)
class _Positive:
    """Parameters that must all be positive and finite."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (is_finite(value) and value > 0):
                raise InvalidValueError(
                    f"{type(self).__name__} needs {field.name} > 0 and finite; found {value!r}"
                )


@dataclass(frozen=True)
class NBDProcess(_Positive):
    """No dropout: purchase rate Gamma(shape ``r``, rate ``alpha`` in days)."""

    r: float
    alpha: float

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        never = np.full(n, np.inf)
        return Traits(rng.gamma(self.r, 1 / self.alpha, n), np.zeros(n), never, never)


@dataclass(frozen=True)
class BGNBDProcess(_Positive):
    """Dropout after each repeat purchase with a probability that is Beta(``a``, ``b``).

    ``alpha`` is in days; ``r`` and ``alpha`` are those of the Gamma purchase rate.
    """

    r: float
    alpha: float
    a: float
    b: float

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        rate = rng.gamma(self.r, 1 / self.alpha, n)
        dropout = rng.beta(self.a, self.b, n)
        return Traits(rate, dropout, np.full(n, np.inf), _geometric(dropout, rng))


@dataclass(frozen=True)
class MBGNBDProcess(BGNBDProcess):
    """As BG/NBD, and the customer may also drop out right after the first purchase."""

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        traits = super().draw(n, rng)
        return Traits(traits.rate, traits.dropout, traits.lifetime, traits.most_repeats - 1)


@dataclass(frozen=True)
class BGCNBDProcess(BGNBDProcess):
    """As BG/NBD, with gaps between purchases that are Erlang-``k``.

    ``r`` and ``alpha`` are those of the rate of stages, of which ``k`` make a purchase.
    """

    k: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number(self.k, "k", 1)

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        traits = super().draw(n, rng)
        return replace(traits, rate=traits.rate / self.k, stages=int(self.k))


@dataclass(frozen=True)
class MBGCNBDProcess(BGCNBDProcess):
    """As BG/CNBD-k, and the customer may also drop out right after the first purchase."""

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        traits = super().draw(n, rng)
        return replace(traits, most_repeats=traits.most_repeats - 1)


@dataclass(frozen=True)
class ContractProcess(_Positive):
    """A payment every ``period`` days until the contract is not renewed.

    At each renewal a customer leaves with a probability of her own, Beta(``a``, ``b``) across
    customers: the number of renewals is shifted beta-geometric. The first payment opens the
    contract.
    """

    a: float
    b: float
    period: float = 30.0

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        dropout = rng.beta(self.a, self.b, n)
        lifetime = self.period * _geometric(dropout, rng)
        rate, never = np.full(n, 1 / self.period), np.full(n, np.inf)
        return Traits(rate, dropout, lifetime, never, period=self.period)


@dataclass(frozen=True)
class ParetoNBDProcess(_Positive):
    """Exponential lifetime whose rate is Gamma(shape ``s``, rate ``beta`` in days)."""

    r: float
    alpha: float
    s: float
    beta: float

    def draw(self, n: int, rng: np.random.Generator) -> Traits:
        """Draw ``n`` customers."""
        rate = rng.gamma(self.r, 1 / self.alpha, n)
        dropout = rng.gamma(self.s, 1 / self.beta, n)
        with np.errstate(divide="ignore", over="ignore"):
            lifetime = rng.standard_exponential(n) / dropout
        return Traits(rate, dropout, lifetime, np.full(n, np.inf))


@dataclass(frozen=True)
class GammaGammaSpend(_Positive):
    """Value of a purchase Gamma(shape ``p``, rate nu) with nu Gamma(shape ``q``, rate ``v``).

    ``v`` is in currency. The mean over customers is ``p v / (q - 1)`` where ``q > 1``.
    """

    p: float
    q: float
    v: float

    def draw(self, counts: Integers, rng: np.random.Generator) -> tuple[Array, Array]:
        """Each customer's mean value, shape (n,), and every purchase's value, (counts.sum(),)."""
        scale = self.v / np.maximum(rng.gamma(self.q, 1.0, counts.size), np.finfo(float).tiny)
        values = rng.gamma(self.p, 1.0, int(counts.sum())) * np.repeat(scale, counts)
        return self.p * scale, values


def _geometric(probability: Array, rng: np.random.Generator) -> Array:
    """Trials until the first success, as floats: infinite where the probability underflows."""
    with np.errstate(divide="ignore"):
        log_failure = np.log1p(-probability)
        trials = np.ceil(-rng.standard_exponential(probability.size) / log_failure)
    return np.maximum(trials, 1.0)
