"""How every figure looks: sizes, colours that colour-blind readers tell apart, axes."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pipelines.report.wording import words

INK = "#1f2933"
MUTED = "#616e7c"
GRID = "#e4e7eb"

# Okabe and Ito's palette; line styles and markers repeat what the colours say.
ACTUAL, FORECAST = INK, "#0072B2"
SERIES: tuple[tuple[str, str, str], ...] = (
    (FORECAST, "-", "o"),
    ("#D55E00", "--", "s"),
    ("#009E73", ":", "^"),
    ("#CC79A7", "-.", "D"),
)
DIVERGING = LinearSegmentedColormap.from_list(
    "too low to too high", ["#08519c", "#6baed6", "#f7f7f7", "#fdae6b", "#a63603"]
)
SEQUENTIAL: Colormap = colormaps["viridis"]
NO_VALUE = "#c5cbd3"
PART = "Part of a month"
"""What the legends call a month of which only some days are sold or forecast."""
PALER = 0.4
"""Opacity of a bar of such a month."""

BAR_DAYS = 24
"""Width of the bar of a month."""
NOT_GIVEN = "Sales not shown"
"""What the legends call a month whose sales would tell on single customers."""

WIDTH = 6.6
HEADROOM = 0.06
"""Of the height of a chart, left free above its highest value."""
DPI = 150


def canvas(
    height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, np.ndarray[Any, Any]]:
    """Return a figure with its own canvas and a (rows, columns) array of axes."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        quiet(ax)
    return figure, axes


def quiet(ax: Axes) -> None:
    """Leave only what a reader needs."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(MUTED)
    ax.tick_params(colors=INK, labelsize=9.5, length=3)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)


def title(figure: Figure, text: str) -> None:
    """Heading of the whole figure."""
    figure.suptitle(text, fontsize=11.5, fontweight="bold", color=INK, x=0.01, ha="left")


def legend(figure: Figure, ax: Axes) -> None:
    """One legend under the figure, from one of its axes."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=2 if max(map(len, labels)) > 20 else min(len(labels), 4),
        fontsize=9.5,
        frameon=False,
    )


def label(ax: Axes, x: str = "", y: str = "") -> None:
    """Axis labels."""
    ax.set_xlabel(x, fontsize=9.5, color=INK)
    ax.set_ylabel(y, fontsize=9.5, color=INK)


def thousands(ax: Axes) -> None:
    """Thousands separators on the value axis, which starts at zero (call when all is drawn)."""
    bottom, top = min(0, ax.get_ylim()[0]), ax.get_ylim()[1]
    ax.set_ylim(bottom, top + HEADROOM * (top - bottom))
    grouped(ax.yaxis)


def grouped(axis: Any) -> None:
    """Numbers with thousands separators."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def percents(axis: Any) -> None:
    """Shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.0f} %"))


def monthly(ax: Axes, months: list[dt.date], most: int = 7) -> None:
    """Ticks at months, the year under the first one and under each that begins another."""
    shown = months[:: -(-len(months) // most)]
    names = [
        words.month(day).replace(" ", "\n")
        if k == 0 or day.year != shown[k - 1].year
        else words.month(day).split()[0]
        for k, day in enumerate(shown)
    ]
    ax.set_xticks([mdates.date2num(day) for day in shown], names)  # type: ignore[no-untyped-call]


def cut_line(ax: Axes, x: Any, values: Any, cut: list[bool] | None, **look: Any) -> None:
    """Line over whole months; one that the days cut is a hollow point of its own.

    Joined to its neighbours it would look like a collapse of sales.
    """
    values = np.asarray(values, dtype=float)
    parts = np.zeros(len(values), dtype=bool) if cut is None else np.array(cut, dtype=bool)
    ax.plot(x, np.where(parts, np.nan, values), **look)
    if parts.any():
        hollow: dict[str, Any] = (
            {"marker": "o", "ms": 4} | look | {"linestyle": "none", "mfc": "white"}
        )
        ax.plot(x, np.where(parts, values, np.nan), **hollow | {"label": None})


def name_cut(ax: Axes, cut: list[bool] | None) -> None:
    """Entry of the legend for the hollow points, where there are any."""
    if cut and any(cut):
        look: dict[str, Any] = {
            "linestyle": "none",
            "marker": "o",
            "ms": 4.5,
            "mfc": "white",
            "color": MUTED,
        }
        ax.plot([], [], label=PART, **look)


def not_given(ax: Axes, months: list[dt.date]) -> None:
    """Mark months whose value is not shown by hatched bands: no bar would say nothing was sold."""
    half = dt.timedelta(days=BAR_DAYS / 2)
    for k, day in enumerate(months):
        ax.axvspan(
            day - half,  # type: ignore[arg-type]
            day + half,  # type: ignore[arg-type]
            facecolor="none",
            edgecolor=NO_VALUE,
            hatch="xxx",
            linewidth=0,
            zorder=0.5,
            label=None if k else NOT_GIVEN,
        )


def dates(texts: list[str]) -> list[dt.date]:
    """ISO strings as dates."""
    return [dt.date.fromisoformat(text) for text in texts]


def numbers(values: list[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers with not-a-number for what is missing."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def paired_bars(
    ax: Axes, names: list[Any], first: list[Any], second: list[Any], labels: tuple[str, str]
) -> None:
    """Two bars a group, told apart by colour and hatching."""
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


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file's bytes, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
