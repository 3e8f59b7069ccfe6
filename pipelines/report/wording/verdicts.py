"""Past errors in words: how far off, too high or too low, against whom, intervals that failed."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pipelines.report.wording import words

TOO_FEW_HELD = 0.83
"""Share of actuals under which 90 % intervals have clearly failed."""

NEARLY_RIGHT = 0.005
"""Relative error of a total that counts as none."""


def too_high_or_low(bias: float | None) -> str:
    """0.02 as '2 % too high in total'."""
    if bias is None or not math.isfinite(bias):
        return "with an unknown bias"
    if abs(bias) < NEARLY_RIGHT:
        return "right in total to within 0.5 %"
    return f"{words.percent(abs(bias))} too {'high' if bias > 0 else 'low'} in total"


def misses(biases: Iterable[float]) -> str:
    """Errors of several totals: all too high, all too low, or of both signs, and their range."""
    finite = sorted(bias for bias in biases if math.isfinite(bias))
    if len(finite) < 2:
        return too_high_or_low(finite[0] if finite else None)
    low, high = finite[0], finite[-1]
    if max(-low, high) < NEARLY_RIGHT:
        return "right in total to within 0.5 % every time"
    if low <= -NEARLY_RIGHT and high >= NEARLY_RIGHT:
        return f"in total from {words.percent(-low)} too low to {words.percent(high)} too high"
    near, far = sorted((abs(low), abs(high)))
    side = "high" if high >= NEARLY_RIGHT else "low"
    if near < NEARLY_RIGHT:
        return f"right in total to within 0.5 % or too {side}, by up to {words.percent(far)}"
    return f"too {side} in total every time, by {span(near, far)}"


def span(low: float, high: float) -> str:
    """Two shares as '5 % to 49 %'; as one where they read the same."""
    ends = words.percent(low), words.percent(high)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def coverage(held: dict[str, float]) -> str | None:
    """Say how much of the actual revenue past 90 % intervals held; None where none is known.

    Parameters
    ----------
    held : dict
        As :func:`too_narrow`: shares of actuals inside, by what they are of; cells first.
    """
    shares = [(what, share) for what, share in held.items() if math.isfinite(share)]
    if not shares or shares[0][0] != next(iter(held)):
        return None
    said = " and of ".join(f"{words.percent(share)} of {what}s" for what, share in shares)
    narrow = ""
    if too_narrow(held):
        narrow = f" instead of {words.percent(0.9)}: intervals like these were too narrow"
    return f"The {words.percent(0.9)} intervals held the actual revenue of {said}{narrow}."


def too_narrow(held: dict[str, float]) -> str | None:
    """Say that past 90 % intervals held clearly too little; None where they held.

    Parameters
    ----------
    held : dict
        Share of actuals inside the intervals, by what they were intervals of.
    """
    failed = {what: share for what, share in held.items() if share < TOO_FEW_HELD}
    if not failed:
        return None
    said = words.listed([f"{words.percent(share)} of {what}s" for what, share in failed.items()])
    wanted = words.percent(0.9)
    return f"Past intervals like these were too narrow: they held {said} instead of {wanted}."


def nearer(simpler: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Name the simpler forecasts that did better, so that they can be used instead.

    Parameters
    ----------
    simpler : dict
        By quantity: errors (``wape`` and ``wape_baseline``) of those that did, by name.
    """
    lines = []
    for quantity, found in simpler.items():
        said = [
            f"{words.model_label(name)} ({words.percent(score['wape_baseline'])} against "
            f"{words.percent(score['wape'])})"
            for name, score in found.items()
        ]
        if said:
            who = "A simpler forecast was" if len(said) == 1 else "Simpler forecasts were"
            lines.append(
                f"{who} nearer than this one for {quantity} per cohort-month: {words.listed(said)}."
            )
    return lines


def against(name: str, change: float | None) -> str:
    """Relative change of the error against a baseline, as a noun; below zero is better."""
    label = words.BASELINES.get(name, words.model_label(name))
    if change is None or not math.isfinite(change):
        return f"an error that cannot be compared with that of {label}"
    if abs(change) < 0.01:
        return f"about the same error as {label}"
    if change >= 1:
        times = change + 1
        return f"{times:,.{1 if times < 99.5 else 0}f} times the error of {label}"
    size = words.percent(abs(change))
    article = "an" if size.startswith("8") or size[:2] in ("11", "18") else "a"
    return f"{article} {size} {'smaller' if change < 0 else 'larger'} error than {label}"
