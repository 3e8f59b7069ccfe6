"""The report's figures, drawn by matplotlib from the summary's charts.

Only ``Figure`` objects with an Agg canvas: no global state, no window, safe in threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipelines.report import words
from pipelines.report.style import (
    ACTUAL,
    DIVERGING,
    FORECAST,
    INK,
    NO_VALUE,
    SEQUENTIAL,
    SERIES,
    canvas,
    dates,
    label,
    legend,
    monthly,
    numbers,
    percents,
    png,
    thousands,
    title,
)

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
        x = dates(panel["period"])
        for (name, values), (colour, line, marker) in zip(
            panel["forecasts"].items(), SERIES, strict=False
        ):
            style = {"color": colour, "linestyle": line, "marker": marker, "ms": 3.5}
            # Where a baseline says the same, this forecast stays visible.
            layer = 2.5 if colour == FORECAST else 2.0
            ax.plot(x, numbers(values), **style, label=name, zorder=layer)
        ax.plot(
            x,
            numbers(panel["actual"]),
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
    if past and ahead:
        joint = numbers([history["revenue"][-1], forecast["revenue"][0]])
        ax.plot([past[-1], ahead[0]], joint, color=FORECAST)
    ax.plot(past, numbers(history["revenue"]), color=ACTUAL, linewidth=2.2, label="Actual")
    if any(value is not None for value in forecast["low"]):
        ax.fill_between(
            ahead,
            numbers(forecast["low"]),
            numbers(forecast["high"]),
            color=FORECAST,
            alpha=0.2,
            linewidth=0,
            label="90 % interval",
        )
    ax.plot(ahead, numbers(forecast["revenue"]), color=FORECAST, marker="o", ms=4, label="Forecast")
    label(ax, y=chart["unit"])
    monthly(ax, past + ahead)
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
        ax.set_xlim(0, widest * 1.25)
        ax.set_yticks(place, chart["models"])
        ax.grid(visible=False)
        ax.set_title(name, fontsize=9.5, color=INK, loc="left")
        percents(ax.xaxis)
        ax.locator_params(axis="x", nbins=4)
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
    known = np.abs(error[np.isfinite(error)])
    clip = float(np.clip(np.quantile(known, 0.9) if known.size else 0.0, *CLIP))
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


def cumulative_ltv(chart: Chart) -> Figure:
    """Cumulative revenue per customer by age, one line a cohort."""
    figure, axes = canvas(3.6)
    ax = axes[0, 0]
    lines = chart["lines"]
    shades = SEQUENTIAL(np.linspace(0.0, 0.85, len(lines)))
    markers = "osD^vP*X"
    name = {"month": words.month, "quarter": words.quarter, "year": lambda text: text[:4]}
    for k, (line, shade) in enumerate(zip(lines, shades, strict=True)):
        age, ltv = np.array(line["age"]), numbers(line["ltv"])
        ahead = np.array(line["forecast"], dtype=bool)
        known = ~ahead
        ax.plot(
            age[known],
            ltv[known],
            color=shade,
            marker=markers[k % len(markers)],
            ms=4,
            markevery=3,
            label=name[chart["group"]](line["cohort"]),  # type: ignore[no-untyped-call]
        )
        # The dashed part starts at the last point known.
        start = max(int(known.sum()) - 1, 0)
        ax.plot(age[start:], ltv[start:], color=shade, linestyle=(0, (3, 2)))
    label(ax, "months since first purchase", f"{chart['unit']} per customer")
    thousands(ax)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def calibration_deciles(chart: Chart) -> Figure:
    """Mean forecast and actual of each tenth of customers."""
    panels = chart["panels"]
    figure, axes = canvas(3.3, 1, len(panels))
    for ax, panel in zip(axes.flat, panels, strict=True):
        _paired(ax, panel["decile"], panel["forecast"], panel["actual"], ("Forecast", "Actual"))
        ax.set_title(panel["quantity"], fontsize=9.5, color=INK, loc="left")
        label(ax, "tenth (10 = best forecast)", panel["unit"])
        thousands(ax)
    title(figure, chart["title"])
    legend(figure, axes[0, 0])
    return figure


def _paired(ax: Any, names: list[Any], first: list[Any], second: list[Any], labels: Any) -> None:
    place = np.arange(len(names))
    ax.bar(place - 0.2, numbers(first), 0.38, color=FORECAST, label=labels[0])
    ax.bar(
        place + 0.2,
        numbers(second),
        0.38,
        color="#9aa5b1",
        label=labels[1],
        hatch="//",
        edgecolor="white",
        linewidth=0,
    )
    ax.set_xticks(place, [str(name) for name in names])


def probability_alive(chart: Chart) -> Figure:
    """Heat map of the probability alive."""
    figure, axes = canvas(3.9)
    ax = axes[0, 0]
    matrix = np.array([numbers(row) for row in chart["probability"]])
    mesh = ax.pcolormesh(
        np.array(chart["frequency"], dtype=float),
        np.array(chart["recency"], dtype=float),
        np.ma.masked_invalid(matrix),
        cmap="viridis",
        vmin=0,
        vmax=1,
        shading="nearest",
    )
    ax.grid(visible=False)
    ax.locator_params(axis="x", integer=True)
    label(ax, "repeat purchases (frequency)", "days from first to last purchase (recency)")
    bar = figure.colorbar(mesh, ax=ax, fraction=0.05, pad=0.02)
    bar.ax.tick_params(labelsize=9)
    percents(bar.ax.yaxis)
    bar.set_label("probability alive", fontsize=9, color=INK)
    title(figure, chart["title"])
    return figure


def churn_reliability(chart: Chart) -> Figure:
    """Predicted against observed churn."""
    figure, axes = canvas(4.2)
    ax = axes[0, 0]
    ax.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":", label="perfect")
    for curve, (colour, line, marker) in zip(chart["curves"], SERIES, strict=False):
        order = np.argsort(curve["predicted"])
        ax.plot(
            numbers(curve["predicted"])[order],
            numbers(curve["observed"])[order],
            color=colour,
            linestyle=line,
            marker=marker,
            ms=5,
            label=curve["label"],
        )
    label(ax, "predicted share that churns", "observed share that churned")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    percents(ax.xaxis)
    percents(ax.yaxis)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def churn_importance(chart: Chart) -> Figure:
    """Permutation importance, strongest on top."""
    names = [str(name).replace("_", " ") for name in chart["feature"]]
    figure, axes = canvas(1.2 + 0.3 * len(names))
    ax = axes[0, 0]
    place = np.arange(len(names))[::-1]
    ax.barh(
        place,
        numbers(chart["importance"]),
        xerr=np.nan_to_num(numbers(chart["importance_sd"])),
        color=FORECAST,
        ecolor=INK,
        height=0.65,
    )
    ax.set_yticks(place, names)
    ax.grid(visible=False)
    label(ax, "AUC lost when the feature is shuffled")
    title(figure, chart["title"])
    return figure


def tiers(chart: Chart) -> Figure:
    """Share of customers and of CLV by tier."""
    figure, axes = canvas(3.1)
    ax = axes[0, 0]
    _paired(
        ax,
        chart["tier"],
        chart["share_of_clv"],
        chart["share_of_customers"],
        ("Share of CLV", "Share of customers"),
    )
    for k, values in enumerate(
        zip(chart["share_of_clv"], chart["share_of_customers"], strict=True)
    ):
        for shift, value in zip((-0.2, 0.2), values, strict=True):
            ax.text(k + shift, (value or 0) + 0.01, words.percent(value), ha="center", fontsize=9)
    ax.margins(y=0.1)
    percents(ax.yaxis)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def observed_and_expected(chart: Chart) -> Figure:
    """Paired bars by group."""
    figure, axes = canvas(3.2)
    ax = axes[0, 0]
    labels = ("Expected by the model", "Observed")
    _paired(ax, chart["names"], chart["expected"], chart["observed"], labels)
    if sum(map(len, chart["names"])) > 60:
        ax.tick_params(axis="x", labelrotation=30)
    label(ax, chart["x"], chart["y"])
    thousands(ax)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def tracking(chart: Chart) -> Figure:
    """Observed and expected by month, and their running totals."""
    figure, axes = canvas(3.2, 1, len(chart["panels"]))
    x = dates(chart["period"])
    for ax, panel in zip(axes.flat, chart["panels"], strict=True):
        ax.plot(x, numbers(panel["expected"]), color=FORECAST, linestyle="--", label="Expected")
        ax.plot(x, numbers(panel["observed"]), color=ACTUAL, linewidth=2, label="Observed")
        ax.set_title(panel["title"], fontsize=9.5, color=INK, loc="left")
        monthly(ax, x, 4)
        thousands(ax)
    label(axes[0, 0], y="repeat purchases")
    title(figure, chart["title"])
    legend(figure, axes[0, 0])
    return figure


def spend_distribution(chart: Chart) -> Figure:
    """Histogram of mean spend and the model's curve."""
    figure, axes = canvas(3.2)
    ax = axes[0, 0]
    edges = np.array(chart["edges"])
    middle = (edges[1:] + edges[:-1]) / 2
    ax.bar(
        middle, numbers(chart["observed"]), np.diff(edges) * 0.92, color="#9aa5b1", label="Observed"
    )
    ax.plot(
        middle,
        numbers(chart["expected"]),
        color=FORECAST,
        marker="o",
        ms=4,
        label="Expected by the model",
    )
    label(ax, f"mean value of a purchase ({chart['unit']})", "customers")
    thousands(ax)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


DRAW: dict[str, Callable[[Chart], Figure]] = {
    "headline_backtest": month_lines,
    "headline_forecast": history_and_forecast,
    "errors_by_model": errors_by_model,
    "forecast_by_month_revenue": month_lines,
    "forecast_by_month_purchases": month_lines,
    "error_heatmap": error_heatmap,
    "cumulative_ltv": cumulative_ltv,
    "calibration_deciles": calibration_deciles,
    "probability_alive": probability_alive,
    "churn_reliability": churn_reliability,
    "churn_importance": churn_importance,
    "tiers": tiers,
    "frequency_histogram": observed_and_expected,
    "tracking": tracking,
    "conditional_frequency": observed_and_expected,
    "conditional_recency": observed_and_expected,
    "spend_distribution": spend_distribution,
}
