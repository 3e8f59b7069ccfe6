"""Maximum likelihood by Newton steps within a trust region, with analytic derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clvmodels.core.arrays import Array, Booleans

Objective = Callable[[Array], tuple[float, Array, Array]]
"""theta (k,) -> value, gradient (k,), Hessian (k, k)."""

_IDLE_STEPS = 8
"""Steps in a row that gain nothing measurable before the search ends."""


@dataclass(frozen=True)
class Optimum:
    """Where a maximisation ended.

    Attributes
    ----------
    theta, value, gradient, hessian
        The point and the objective there.
    converged : bool
        Whether the last Newton step was below the tolerance at a strict maximum.
    at_bound : ndarray of bool, shape (k,)
        Parameters held by the box, against an objective that still rises.
    iterations : int
        Evaluations of the objective.
    """

    theta: Array
    value: float
    gradient: Array
    hessian: Array
    converged: bool
    at_bound: Booleans
    iterations: int


def maximize(
    objective: Objective,
    start: Array,
    lower: Array,
    upper: Array,
    *,
    tolerance: float = 1e-5,
    max_iterations: int = 200,
) -> Optimum:
    """Maximise a smooth function inside a box.

    A Newton step is taken where the function is concave and the step lies within the trust
    region; elsewhere the step solves the trust-region problem exactly. The last step, shorter
    than ``tolerance``, is taken without a further evaluation: its error is of the order of the
    tolerance squared, and the value there follows from the quadratic model.

    Parameters
    ----------
    objective : callable
        theta -> value, gradient, Hessian. A value that is not finite makes the step shorter.
    start, lower, upper : ndarray, shape (k,)
    tolerance : float
        Largest entry of the step that ends the search.
    max_iterations : int
        Most evaluations of the objective.
    """
    theta = np.clip(start, lower, upper)
    value, gradient, hessian = _finite(objective, theta)
    radius, iterations, converged, idle = 2.0, 1, False, 0
    while True:
        free = ~_held(theta, gradient, lower, upper)
        step, concave = _step(gradient, hessian, free, radius)
        step = np.clip(theta + step, lower, upper) - theta
        gain = float(gradient @ step + 0.5 * step @ hessian @ step)
        largest = float(np.max(np.abs(step), initial=0.0))
        negligible = gain < 1e-12 * (1.0 + abs(value))
        if largest <= tolerance or gain <= 0 or idle > _IDLE_STEPS:
            converged = concave and largest <= tolerance
            if gain > 0 and largest <= tolerance:
                theta, value = theta + step, value + gain
                gradient = gradient + hessian @ step
            break
        if iterations >= max_iterations:
            break
        new_value, new_gradient, new_hessian = objective(theta + step)
        iterations += 1
        idle = idle + 1 if abs(new_value - value) < 1e-13 * (1.0 + abs(value)) else 0
        ratio = (new_value - value) / gain if np.isfinite(new_value) else -1.0
        if negligible and abs(ratio) * gain < 1e-11 * (1.0 + abs(value)):
            ratio = 1.0  # the values hold only rounding errors here; the derivatives still serve
        radius = _trusted(radius, ratio, float(np.linalg.norm(step)))
        if ratio > 1e-4:
            theta, value = theta + step, new_value
            gradient, hessian = new_gradient, new_hessian
        elif radius < 1e-10:
            break
    at_bound = _held(theta, gradient, lower, upper)
    return Optimum(
        theta, value, gradient, hessian, converged and not at_bound.any(), at_bound, iterations
    )


def _finite(objective: Objective, theta: Array) -> tuple[float, Array, Array]:
    value, gradient, hessian = objective(theta)
    if not np.isfinite(value):
        raise FloatingPointError(f"the objective is {value} at the starting point {theta}")
    return value, gradient, hessian


def _trusted(radius: float, ratio: float, length: float) -> float:
    """Radius of the trust region after a step, by the share of the promised gain that came."""
    if ratio < 0.25:
        return 0.3 * min(length, radius)
    if ratio > 0.7 and length > 0.9 * radius:
        return min(3.0 * radius, 50.0)
    return radius


def _held(theta: Array, gradient: Array, lower: Array, upper: Array) -> Booleans:
    held = ((theta <= lower) & (gradient < 0)) | ((theta >= upper) & (gradient > 0))
    return np.asarray(held, dtype=np.bool_)


def _step(gradient: Array, hessian: Array, free: Booleans, radius: float) -> tuple[Array, bool]:
    """Maximise the quadratic model within the radius; say whether it is strictly concave."""
    step = np.zeros_like(gradient)
    if not free.any():
        return step, True
    curvature, axes = np.linalg.eigh(-hessian[np.ix_(free, free)])
    along = axes.T @ gradient[free]
    concave = bool(curvature[0] > 1e-13 * max(curvature[-1], 1e-300))
    if concave:
        newton = along / curvature
        if np.linalg.norm(newton) <= radius:
            step[free] = axes @ newton
            return step, True
    # The shift that makes the step as long as the radius, by bisection in its logarithm.
    floor = max(0.0, -float(curvature[0]))
    size = float(np.linalg.norm(along))
    low, high = 1e-14 * (1.0 + floor), floor + size / radius + 1e-12
    for _ in range(80):
        shift = np.sqrt(low * high)
        length = np.linalg.norm(along / (curvature + floor + shift))
        if length > radius:
            low = shift
        else:
            high = shift
        if high < 1.001 * low:
            break
    step[free] = axes @ (along / (curvature + floor + high))
    return step, concave
