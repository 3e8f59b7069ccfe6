"""Figures of the customers and of the model's fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipelines.report.figures.style import (
    ACTUAL,
    FORECAST,
    INK,
    SEQUENTIAL,
    SERIES,
    canvas,
    cut_line,
    dates,
    grouped,
    label,
    legend,
    monthly,
    name_cut,
    numbers,
    paired_bars,
    percents,
    thousands,
    title,
)
from pipelines.report.wording import words

Chart = dict[str, Any]


def cumulative_ltv(chart: Chart) -> Figure:
    """Cumulative revenue per customer by age, one line a cohort."""
    figure, axes = canvas(3.6)
    ax = axes[0, 0]
    lines = chart["lines"]
    shades = SEQUENTIAL(np.linspace(0.0, 0.85, len(lines)))
    markers = "osD^vP*X"
    name = {"month": words.month, "quarter": words.quarter, "year": lambda text: text[:4]}
    for k, (line, shade) in enumerate(zip(lines, shades, strict=True)):
        ends = [day for day in (line["cohort"], line.get("cohort_to")) if day]
        age, ltv = np.array(line["age"]), numbers(line["ltv"])
        ahead = np.array(line["forecast"], dtype=bool)
        past = ~ahead
        ax.plot(
            age[past],
            ltv[past],
            color=shade,
            marker=markers[k % len(markers)],
            ms=4,
            markevery=3,
            label=" to ".join(map(name[chart["group"]], ends)),
        )
        # The dashed part starts at the last point known.
        start = max(int(past.sum()) - 1, 0)
        ax.plot(age[start:], ltv[start:], color=shade, linestyle=(0, (3, 2)))
    label(ax, "months since first purchase", f"{chart['unit']} per customer")
    thousands(ax)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


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
            clip_on=False,
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
    ax.locator_params(axis="x", nbins=5)
    title(figure, chart["title"])
    return figure


def tiers(chart: Chart) -> Figure:
    """Share of customers and of CLV by tier."""
    figure, axes = canvas(3.1)
    ax = axes[0, 0]
    paired_bars(
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
    ax.margins(y=0.16)
    percents(ax.yaxis)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def rfm_segments(chart: Chart) -> Figure:
    """Shares of customers, of revenue to date and of expected revenue by segment, best on top."""
    names = chart["segment"]
    figure, axes = canvas(1.3 + 0.42 * len(names))
    ax = axes[0, 0]
    place = np.arange(len(names))[::-1]
    bars = (
        ("share_of_customers", "Share of customers", "#9aa5b1", "//"),
        ("share_of_revenue", "Share of revenue to date", ACTUAL, ""),
        ("share_of_expected_revenue", "Share of expected revenue", FORECAST, ""),
    )
    for shift, (key, said, colour, hatch) in zip((0.27, 0.0, -0.27), bars, strict=True):
        ax.barh(
            place + shift,
            numbers(chart[key]),
            0.25,
            color=colour,
            label=said,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
        )
    ax.set_yticks(place, [str(name) for name in names])
    percents(ax.xaxis)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure


def observed_and_expected(chart: Chart) -> Figure:
    """Paired bars by group."""
    figure, axes = canvas(3.2)
    ax = axes[0, 0]
    labels = ("Expected by the model", "Observed")
    paired_bars(ax, chart["names"], chart["expected"], chart["observed"], labels)
    if sum(max(map(len, name.split("\n"))) for name in chart["names"]) > 60:
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
        # A running total only rises: no part of it looks like a fall.
        cut = None if panel["title"] == "Cumulative" else chart.get("cut")
        expected, observed = numbers(panel["expected"]), numbers(panel["observed"])
        cut_line(ax, x, expected, cut, color=FORECAST, linestyle="--", label="Expected")
        cut_line(ax, x, observed, cut, color=ACTUAL, linewidth=2, label="Observed")
        name_cut(ax, cut)
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
    grouped(ax.xaxis)
    thousands(ax)
    title(figure, chart["title"])
    legend(figure, ax)
    return figure
