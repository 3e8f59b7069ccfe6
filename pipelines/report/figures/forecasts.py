"""The report's figures, drawn by matplotlib from the summary's charts.

Only ``Figure`` objects with an Agg canvas: no global state, no window, safe in threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipelines.report.figures import customers as figures_customers
from pipelines.report.figures.style import (
    ACTUAL,
    BAR_DAYS,
    DIVERGING,
    FORECAST,
    INK,
    MUTED,
    NO_VALUE,
    PALER,
    PART,
    SERIES,
    canvas,
    cut_line,
    dates,
    label,
    legend,
    monthly,
    name_cut,
    not_given,
    numbers,
    paired_bars,
    percents,
    png,
    thousands,
    title,
)
from pipelines.report.wording import words

Chart = dict[str, Any]

CLIP = (0.3, 1.0)
"""Relative error at which the heat map's colours end: the 90th percentile, within these."""


def draw_all(summary: dict[str, Any]) -> dict[str, bytes]:
    """Draw every chart of the summary.

    Parameters
    ----------
    summary : dict
        From :func:`pipelines.report.summarize.summarize`.

    Returns
    -------
    dict
        PNG files by chart name.
    """
    return {name: png(DRAW[name](chart)) for name, chart in summary["charts"].items()}


def month_lines(chart: Chart) -> Figure:
    """Forecasts and actual by month, one panel an origin."""
    panels = chart["panels"]
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    figure, axes = canvas(3.3 if rows == 1 else 1.9 * rows + 1.0, rows, columns, sharey=True)
    for ax, panel in zip(axes.flat, panels, strict=False):
        x, cut = dates(panel["period"]), panel.get("cut")
        for (name, values), (colour, line, marker) in zip(
            panel["forecasts"].items(), SERIES, strict=False
        ):
            style = {"color": colour, "linestyle": line, "marker": marker, "ms": 3.5}
            # Where a baseline says the same, this forecast stays visible.
            layer = 2.5 if colour == FORECAST else 2.0
            cut_line(ax, x, numbers(values), cut, **style, label=name, zorder=layer)
        cut_line(
            ax,
            x,
            numbers(panel["actual"]),
            cut,
            color=ACTUAL,
            linewidth=2.4,
            marker="o",
            ms=4,
            label="Actual",
        )
        if len(panels) > 1:
            ax.set_title(f"from {words.day(panel['origin'])}", fontsize=9.5, color=INK, loc="left")
        monthly(ax, x, 7 if columns == 1 else 5)
    for ax in list(axes.flat)[len(panels) :]:
        ax.set_visible(False)
    name_cut(axes[0, 0], [part for panel in panels for part in panel.get("cut") or ()])
    for ax in axes[:, 0]:
        label(ax, y=chart["unit"])
    thousands(axes[0, 0])
    title(figure, chart["title"])
    legend(figure, axes[0, 0])
    return figure


def history_and_forecast(chart: Chart) -> Figure:
    """Monthly repeat revenue, then the forecast with its interval."""
    figure, axes = canvas(3.3)
    ax = axes[0, 0]
    history, forecast = chart["history"], chart["forecast"]
    past, ahead = dates(history["period"]), dates(forecast["period"])
    cut = {"past": history.get("cut"), "ahead": forecast.get("cut") or [False] * len(ahead)}
    if past and ahead and not ((cut["past"] or [False])[-1] or cut["ahead"][0]):
        joint = numbers([history["revenue"][-1], forecast["revenue"][0]])
        ax.plot([past[-1], ahead[0]], joint, color=FORECAST)
    look: dict[str, Any] = {"color": ACTUAL, "linewidth": 2.2}
    cut_line(ax, past, numbers(history["revenue"]), cut["past"], **look, label="Actual")
    if any(value is not None for value in forecast["low"]):
        low, high, parts = numbers(forecast["low"]), numbers(forecast["high"]), cut["ahead"]
        ax.vlines(np.array(ahead)[parts], low[parts], high[parts], FORECAST, alpha=0.2, linewidth=5)
        ax.fill_between(
            ahead,
            low,
            high,
            where=~np.array(parts),
            color=FORECAST,
            alpha=0.2,
            linewidth=0,
            label="90 % interval",
        )
    look = {"color": FORECAST, "marker": "o", "ms": 4}
    cut_line(ax, ahead, numbers(forecast["revenue"]), cut["ahead"], **look, label="Forecast")
    name_cut(ax, [*(cut["past"] or ()), *cut["ahead"]])
    label(ax, y=chart["unit"])
    monthly(ax, past + ahead)
    thousands(ax)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def company_revenue(chart: Chart) -> Figure:
    """Company revenue by month: sold, forecast of known customers, and of those still to come."""
    figure, axes = canvas(3.3)
    ax = axes[0, 0]
    history, forecast = chart["history"], chart["forecast"]
    past, ahead = dates(history["period"]), dates(forecast["period"])
    months = sorted({*past, *ahead})
    sold, from_known, new = np.zeros((3, len(months)))
    revenue = numbers(history["revenue"])
    sold[[months.index(day) for day in past]] = np.nan_to_num(revenue)
    # A month that would tell on single customers is not given; without a mark it would look like
    # one that sold nothing.
    not_given(ax, [day for day, value in zip(past, revenue, strict=True) if np.isnan(value)])
    from_known[[months.index(day) for day in ahead]] = numbers(forecast["known"])
    new[[months.index(day) for day in ahead]] = numbers(forecast["new"])
    bars = (
        ("Sold", sold, {"color": ACTUAL}),
        ("Known customers", from_known, {"color": FORECAST}),
        (
            "Customers still to come",
            new,
            {"color": "#9ecae1", "hatch": "//", "edgecolor": "white", "linewidth": 0},
        ),
    )
    cut = [months.index(day) for day in dates(chart.get("cut", []))]
    base = np.zeros(len(months))
    for name, values, look in bars:
        if values.any():
            drawn = ax.bar(months, values, BAR_DAYS, bottom=base, **look)
            for k in cut:
                drawn[k].set_alpha(PALER)
            # The legend's patch is of no month, or it would be as pale as the first bar.
            ax.bar(months[:1], [0.0], label=name, **look)
        base = base + values
    if "low" in forecast:
        total = numbers(forecast["known"]) + numbers(forecast["new"])
        ends = np.abs(np.stack([numbers(forecast["low"]), numbers(forecast["high"])]) - total)
        whiskers = {"color": INK, "lw": 1, "capsize": 2, "zorder": 3}
        ax.errorbar(ahead, total, ends, fmt="none", **whiskers, label="90 % interval")
    if cut:
        ax.bar(months[:1], [0.0], color=MUTED, alpha=PALER, label=f"Paler: {PART.lower()}")
    label(ax, y=chart["unit"])
    monthly(ax, months)
    thousands(ax)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def errors_by_model(chart: Chart) -> Figure:
    """WAPE by model, one panel a quantity."""
    count = len(chart["models"])
    figure, axes = canvas(1.3 + 0.36 * count, 1, len(chart["wape"]), sharey=True)
    place = np.arange(count)[::-1]
    for ax, (name, values) in zip(axes.flat, chart["wape"].items(), strict=True):
        wape = numbers(values)
        colours = [FORECAST, *["#9aa5b1"] * (count - 1)]
        ax.barh(place, np.nan_to_num(wape), color=colours, height=0.65)
        widest = float(np.nanmax(wape)) if np.isfinite(wape).any() else 1.0
        for y, value in zip(place, wape, strict=True):
            text = words.percent(float(value)) if np.isfinite(value) else "none"
            ax.text(np.nan_to_num(value) + 0.02 * widest, y, text, va="center", fontsize=9)
        ax.set_xlim(0, widest * 1.3)
        ax.set_yticks(place, chart["models"])
        ax.grid(visible=False)
        ax.set_title(name, fontsize=9.5, color=INK, loc="left")
        percents(ax.xaxis)
        ax.locator_params(axis="x", nbins=3, prune="upper")
    title(figure, chart["title"])
    return figure


def error_heatmap(chart: Chart) -> Figure:
    """Relative error of each cohort and month, origin under origin."""
    rows, periods = chart["rows"], chart["periods"]
    error = np.array([numbers(row) for row in chart["error"]])
    asked = np.array(chart["asked"], dtype=bool)
    figure, axes = canvas(1.7 + 0.27 * len(rows))
    ax = axes[0, 0]
    colours = DIVERGING.with_extremes(bad=NO_VALUE)
    misses = np.abs(error[np.isfinite(error)])
    clip = float(np.clip(np.quantile(misses, 0.9) if misses.size else 0.0, *CLIP))
    shown = np.ma.masked_invalid(np.clip(error, -clip, clip))
    image = ax.imshow(shown, cmap=colours, vmin=-clip, vmax=clip, aspect="auto")
    for i, j in zip(*np.nonzero(~asked), strict=True):
        ax.add_patch(_blank(i, j))
    if len(periods) <= 14:
        for i, j in zip(*np.nonzero(np.isfinite(error)), strict=True):
            dark = abs(error[i, j]) > 0.7 * clip
            ax.text(
                j,
                i,
                f"{round(error[i, j] * 100):+d}".replace("+0", "0"),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else INK,
            )
    step = max(1, -(-len(periods) // 8))
    shown_periods = range(0, len(periods), step)
    ax.set_xticks(list(shown_periods), [_short_month(periods[k]) for k in shown_periods])
    names = [
        (f"{row['origin'][:7]}   " if k == 0 or rows[k - 1]["origin"] != row["origin"] else "")
        + words.quarter(row["cohort"])
        + (f" to {words.quarter(row['cohort_to'])}" if row.get("cohort_to") else "")
        for k, row in enumerate(rows)
    ]
    ax.set_yticks(range(len(rows)), names)
    for k in range(1, len(rows)):
        if rows[k]["origin"] != rows[k - 1]["origin"]:
            ax.axhline(k - 0.5, color=INK, linewidth=1)
    ax.grid(visible=False)
    ax.text(-0.01, 1.01, "origin   cohort", transform=ax.transAxes, ha="right", fontsize=9)
    bar = figure.colorbar(
        image, ax=ax, location="bottom", shrink=0.6, aspect=40, pad=0.02, extend="both"
    )
    bar.ax.tick_params(labelsize=9)
    percents(bar.ax.xaxis)
    bar.set_label("forecast against actual: too low, or too high", fontsize=9, color=INK)
    title(figure, chart["title"])
    return figure


def _blank(row: int, column: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="white", edgecolor="none")


def _short_month(text: str) -> str:
    name, year = words.month(text).split()
    return f"{name}\n{year[2:]}"


def calibration_deciles(chart: Chart) -> Figure:
    """Mean forecast and actual of each tenth of customers."""
    panels = chart["panels"]
    figure, axes = canvas(3.3, 1, len(panels))
    for ax, panel in zip(axes.flat, panels, strict=True):
        paired_bars(ax, panel["decile"], panel["forecast"], panel["actual"], ("Forecast", "Actual"))
        ax.set_title(panel["quantity"], fontsize=9.5, color=INK, loc="left")
        label(ax, "tenth (10 = best forecast)", panel["unit"])
        thousands(ax)
    title(figure, chart["title"])
    legend(figure, axes[0, 0])
    return figure


DRAW: dict[str, Callable[[Chart], Figure]] = {
    "headline_backtest": month_lines,
    "headline_forecast": history_and_forecast,
    "record": month_lines,
    "errors_by_model": errors_by_model,
    "forecast_by_month_revenue": month_lines,
    "forecast_by_month_purchases": month_lines,
    "error_heatmap": error_heatmap,
    "cumulative_ltv": figures_customers.cumulative_ltv,
    "calibration_deciles": calibration_deciles,
    "probability_alive": figures_customers.probability_alive,
    "churn_reliability": figures_customers.churn_reliability,
    "churn_importance": figures_customers.churn_importance,
    "tiers": figures_customers.tiers,
    "rfm_segments": figures_customers.rfm_segments,
    "frequency_histogram": figures_customers.observed_and_expected,
    "budget": company_revenue,
    "tracking": figures_customers.tracking,
    "conditional_frequency": figures_customers.observed_and_expected,
    "conditional_recency": figures_customers.observed_and_expected,
    "spend_distribution": figures_customers.spend_distribution,
}
