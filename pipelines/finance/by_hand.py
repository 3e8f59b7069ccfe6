"""Unit economics of plain numbers, as one works them on paper: no log is needed."""

from __future__ import annotations

from dataclasses import dataclass, fields

from clvmodels.core.errors import ConfigError
from clvmodels.finance import historical
from clvmodels.finance.historical import SteadyState

SHARES = ("margin", "churn")
POSITIVE = ("churn", "lifespan")


@dataclass(frozen=True)
class Given:
    """What is known of a customer; money in one currency, rates per cycle of one length.

    Attributes
    ----------
    arpu : float, optional
        Revenue per customer and cycle; or value and frequency.
    value : float, optional
        Of one purchase.
    margin : float, optional
        Gross margin as a share of revenue.
    churn : float, optional
        Share of customers lost a cycle; or lifespan.
    lifespan : float, optional
        Cycles that a customer stays.
    frequency : float, optional
        Purchases per customer and cycle.
    cost_to_serve : float, optional
        Of one purchase.
    first_value : float, optional
        Value of the first purchase, which is in none of the above.
    """

    arpu: float | None = None
    value: float | None = None
    margin: float | None = None
    churn: float | None = None
    lifespan: float | None = None
    frequency: float | None = None
    cost_to_serve: float | None = None
    first_value: float | None = None

    @property
    def names(self) -> list[str]:
        """Options that were given."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]

    def state(self) -> SteadyState:
        """The steady state that the numbers describe.

        Raises
        ------
        ConfigError
            If a number is none of its kind, or they are too few or contradict each other; the
            message names the options.
        """
        self._check()
        frequency, value, arpu = self.frequency, self.value, self.arpu
        if arpu is None:
            arpu = (value or 0.0) * (frequency or 0.0)
        margin, life = self.margin or 0.0, self.lifespan
        if life is None:
            life = 1.0 if self.churn is None else historical.lifespan(self.churn)
        return SteadyState(
            arpu,
            margin,
            life,
            frequency,
            self.cost_to_serve or 0.0,
            (self.first_value or 0.0) * margin,
        )

    def _check(self) -> None:
        for name in self.names:
            self._check_range(name, getattr(self, name))
        self._exclude("arpu", "value", "revenue of a cycle is value x frequency")
        self._exclude("churn", "lifespan", "the lifespan is 1 / churn")
        if self.arpu is None and self.value is None:
            raise ConfigError(
                "clv ltv needs --config FILE, or plain numbers: --arpu with --margin and --churn "
                "(or --lifespan), or --value with --margin and --frequency"
            )
        self._require("margin", "the gross margin as a share of revenue, such as 0.6")
        if self.value is not None:
            self._require("frequency", "purchases per customer and cycle")
        elif self.churn is None and self.lifespan is None:
            raise ConfigError("clv ltv --arpu needs --churn or --lifespan beside it")
        if self.cost_to_serve is not None:
            self._require("frequency", "purchases per customer and cycle, which the cost is of")

    def _check_range(self, name: str, value: float) -> None:
        least = "above 0" if name in POSITIVE else "0 or more"
        most = " and 1 at most, as 0.05 for 5 %" if name in SHARES else ""
        low = value > 0 if name in POSITIVE else value >= 0
        if not (low and value <= (1 if name in SHARES else 1e15)):
            raise ConfigError(f"{option(name)} must be {least}{most}; found {value:g}")

    def _exclude(self, one: str, other: str, why: str) -> None:
        if one in self.names and other in self.names:
            raise ConfigError(f"give {option(one)} or {option(other)}, not both: {why}")

    def _require(self, name: str, what: str) -> None:
        if name not in self.names:
            others = " ".join(map(option, self.names))
            raise ConfigError(f"clv ltv {others} needs {option(name)} too: {what}")


def option(name: str) -> str:
    """Name of an option on the command line."""
    return f"--{name.replace('_', '-')}"
