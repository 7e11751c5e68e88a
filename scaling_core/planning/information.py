"""What a fit's runs, and runs that could be trained, say about its parameters and about a budget far beyond them.

All of it in the solver's working coordinates, where parameters are of order one and nearly uncorrelated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting import FITTED, FitResult, get_objective
from scaling_core.fitting.certificate import LARGE_CONDITION
from scaling_core.fitting.options import point_weights
from scaling_core.fitting.sandwich import smooth_bend
from scaling_core.fitting.solver import EXACT
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array, Law, Mask, Working
from scaling_core.planning.design import Question
from scaling_core.planning.posterior import walked

#: What is known of a coordinate before any run: that it is of order one.
_PRIOR_SPREAD = 1.0
_STEP = 1e-3
#: Steps of draws that set out to find what the runs leave open.
_STEPS = 600
#: Draws go no more than this share of the way from the fit to a bound.
_INSIDE = 0.95
#: With fewer usable draws the runs say nothing that a design could stand on.
_LEAST_DRAWS = 4
#: Numbers (draws times runs) that are worked on together.
_NUMBERS = 200_000


@dataclass(frozen=True)
class Evidence:
    """A fit's law bound to its runs and to candidates, in coordinates u.

    Attributes
    ----------
    law : Law
    working : Working
        Bound to the fitted runs, then the candidates.
    u : array, shape (p,)
        The fit.
    free : array of bool, shape (p,)
        Parameters that were not fixed.
    root_weights : array, shape (n + m,)
        Root of each run's weight: what the fit took for inverse variance.
    runs : int
        n, the fitted runs.
    noise : float
        Standard deviation of a residual of weight one, as far as the objective feels it.
    log : bool
        Whether residuals are of ln L.
    target : array, shape (n,)
        ln L or L over the loss scale of the fitted runs.
    is_open : bool
        Whether the runs leave some combination of parameters open.
    """

    law: Law
    working: Working
    u: Array
    free: Mask
    root_weights: Array
    runs: int
    noise: float
    log: bool
    target: Array
    is_open: bool

    def sensitivity(self, u: Array) -> Array:
        """Derivatives of each run's residual by the free coordinates over its noise, shape (R, q, n + m)."""
        here = self.working.at(u)
        slope = here.gradient()
        if self.log:
            slope = slope / here.value[:, None, :]
        return np.asarray(slope[:, self.free] * (self.root_weights / self.noise))

    def prior(self) -> Array:
        """Information of the vague prior, shape (q, q). Without centring a coefficient may be of any size."""
        return np.diag((_PRIOR_SPREAD * np.maximum(1.0, np.abs(self.u[self.free]))) ** -2.0)

    def draws(self, count: int, seed: int) -> Array:
        """Draw coordinates that the runs leave possible, shape (count, p), an even number.

        A normal distribution around the fit and its mirror image; where the runs leave a direction open, these set
        out from there to find what else there is.
        """
        around = self._around_the_fit(count, seed)
        if not self.is_open:
            return around
        runs = self.working.only(np.arange(len(self.root_weights)) < self.runs)
        out = around.copy()
        out[:, self.free] = walked(lambda v: self._log_density(runs, v), around[:, self.free], _STEPS, seed)
        return out

    def _around_the_fit(self, count: int, seed: int) -> Array:
        j = self.sensitivity(self.u[None])[0, :, : self.runs]
        values, vectors = np.linalg.eigh(self.prior() + j @ j.T)
        normal = np.random.default_rng(seed).standard_normal((count // 2, len(values)))
        moved = (normal / np.sqrt(values)) @ vectors.T
        out = np.repeat(self.u[None], 2 * len(moved), axis=0)
        out[:, self.free] += np.concatenate([moved, -moved])
        # a term that vanished altogether would leave no best split
        low, high = self.u + _INSIDE * (self.working.lower - self.u), self.u + _INSIDE * (self.working.upper - self.u)
        return np.asarray(np.clip(out, low, high))

    def _log_density(self, runs: Working, free: Array) -> Array:
        """ln of what a law's free coordinates (m, q) are worth: how near the runs, and that they are of order one."""
        u = np.repeat(self.u[None], len(free), axis=0)
        u[:, self.free] = free
        inside = ((u >= self.working.lower) & (u <= self.working.upper)).all(axis=1)
        with np.errstate(all="ignore"):
            value = runs.at(np.clip(u, self.working.lower, self.working.upper)).value
            r = ((np.log(value) if self.log else value) - self.target) * self.root_weights[: self.runs] / self.noise
            size = _PRIOR_SPREAD if self.working.centred else np.maximum(_PRIOR_SPREAD, np.abs(self.u[self.free]))
            density = -0.5 * ((r**2).sum(axis=1) + ((free / size) ** 2).sum(axis=1))
        return np.where(inside & np.isfinite(density), density, -np.inf)

    def quantity(self, u: Array, flops: float, quantity: str) -> Array:
        """ln L* or ln N* for a budget, shape (R,); NaN where no split is best."""
        return target_of(self.law, self.working.to_natural(u), flops, quantity)

    def quantity_slope(self, u: Array, flops: float, quantity: str) -> Array:
        """Derivatives of the quantity by the free coordinates, (R, q): central differences, one-sided on a bound."""
        below, above = (u - self.working.lower)[:, self.free], (self.working.upper - u)[:, self.free]
        usual = _STEP * np.maximum(1.0, np.abs(self.u[self.free]))
        size = np.where((below > 0) & (above > 0), np.minimum(usual, np.minimum(below, above) / 2), usual)
        up, down = np.where(above > 0, size, 0.0), np.where(below > 0, size, 0.0)
        ends = [self._moved(u, step, flops, quantity) for step in (up, -down)]
        return np.asarray((ends[0] - ends[1]) / (up + down))

    def _moved(self, u: Array, step: Array, flops: float, quantity: str) -> Array:
        """The target where each free coordinate alone has moved by its step, both of shape (R, q)."""
        moved = u[:, None] + step[:, :, None] * np.eye(u.shape[1])[self.free]
        return self.quantity(moved.reshape(-1, u.shape[1]), flops, quantity).reshape(step.shape)


def target_of(law: Law, theta: Array, flops: float, quantity: str) -> Array:
    """ln of the lowest loss of a budget, or of the N that reaches it, for parameters (R, p): shape (R,)."""
    with np.errstate(all="ignore"):
        best = law.optimum(theta, np.array([flops]))
        if best is None:
            raise UserError(
                f"{law.title} does not say how to split a budget between N and D, so it cannot tell runs apart.",
                fix="Fit a law in N and D, Chinchilla's say.",
            )
        value = np.log(best.loss if quantity == "loss" else best.params)[:, 0]
    return np.where(np.isfinite(value), value, np.nan)


def fitted_rows(fit: FitResult) -> pd.DataFrame:
    """The runs that a fit was made from; UserError where it was read from a file without them."""
    if fit.points.empty:
        raise UserError(
            "This fit was read from a file and does not hold its runs, so it cannot say what is missing among them.",
            fix="Fit the runs again.",
        )
    return fit.points[fit.points["role"] == FITTED]


def evidence_of(fit: FitResult, params: Array, tokens: Array) -> Evidence:
    """Bind a fit's law to its runs and to candidates N and D of shape (m,).

    Raises
    ------
    UserError
        If the fit does not hold its runs, its law reads what a candidate does not have, or nothing scatters.
    """
    rows = fitted_rows(fit)
    x = _predictors(fit.law, rows, params, tokens)
    loss = rows["loss"].to_numpy(dtype=float)
    scale = float(np.exp(np.log(loss).mean()))
    working = fit.law.working(x, scale, centred=not fit.constraints)
    weights = point_weights(rows, fit.weights) / _sharing(rows)
    objective = get_objective(fit.objective)
    log = objective.space == "log"
    predicted = rows["predicted"].to_numpy(dtype=float)
    free = _free(fit, rows)
    return Evidence(
        law=fit.law,
        working=working,
        u=working.from_natural(fit.theta),
        free=free,
        root_weights=np.sqrt(np.concatenate([weights, _new_weights(fit, rows, params, tokens)])),
        runs=len(rows),
        noise=_noise(fit, np.log(predicted / loss) if log else (predicted - loss) / scale, weights, int(free.sum())),
        log=log,
        target=np.log(loss / scale) if log else loss / scale,
        is_open=bool(fit.certificate.on_bound) or fit.certificate.condition > LARGE_CONDITION,
    )


def question_of(evidence: Evidence, u: Array, flops: float, quantity: str) -> Question:
    """The design question of a quantity at a budget, over draws ``u`` (R, p) of the law; every candidate costs 1.

    Raises
    ------
    UserError
        If hardly any draw has a best split.
    """
    wanted = evidence.quantity_slope(u, flops, quantity)
    step = max(1, _NUMBERS // len(evidence.root_weights))
    parts = [_split(evidence, evidence.sensitivity(u[i : i + step])) for i in range(0, len(u), step)]
    known, tried = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    usable = (np.isfinite(known) & np.isfinite(wanted)[:, :, None]).all(axis=(1, 2))
    usable &= np.isfinite(tried).all(axis=(1, 2))
    if usable.sum() < min(_LEAST_DRAWS, len(u)):
        raise UserError(
            "These runs say too little about the law for others to be chosen by it.",
            fix="Train a few small runs that vary N and D apart first.",
        )
    return Question(known[usable], wanted[usable], tried[usable], np.ones(tried.shape[2]))


def _split(evidence: Evidence, sensitivity: Array) -> tuple[Array, Array]:
    """Information of the prior and the runs, (R, q, q), and sensitivities of the candidates, (R, q, m)."""
    j = sensitivity[:, :, : evidence.runs]
    return evidence.prior() + j @ j.transpose(0, 2, 1), sensitivity[:, :, evidence.runs :]


def _predictors(law: Law, rows: pd.DataFrame, params: Array, tokens: Array) -> dict[str, Array]:
    """What the law reads of the runs and of new ones, which see every token once."""
    new = {
        "params": params,
        "tokens": tokens,
        "flops": FLOPS_PER_PARAM_TOKEN * params * tokens,
        "unique_tokens": tokens,
    }
    if unknown := [name for name in law.predictors if name not in new]:
        raise UserError(
            f"{law.title} reads “{unknown[0]}”, which N and D do not give.",
            fix="Plan experiments with a law in N and D.",
        )
    return {name: np.concatenate([rows[name].to_numpy(dtype=float), new[name]]) for name in law.predictors}


def _free(fit: FitResult, rows: pd.DataFrame) -> Mask:
    """Parameters that nobody fixed, neither a person nor the law on these rows."""
    fixed = {c.name for c in fit.constraints if c.is_fixed}
    held = {h.name for h in fit.law.settle(rows, frozenset(c.name for c in fit.constraints))}
    return np.array([name not in fixed | held for name in fit.law.parameter_names])


def _sharing(rows: pd.DataFrame) -> Array:
    """How many rows each run has: checkpoints of one run scatter together and count as one."""
    return np.asarray(rows.groupby(["file", "run"], sort=False)["loss"].transform("size").to_numpy(dtype=float))


def _new_weights(fit: FitResult, rows: pd.DataFrame, params: Array, tokens: Array) -> Array:
    """Weights of new runs: by the fit's own rule where they have its column, else that of the mean run."""
    column, _, power = fit.weights.partition("^")
    values = {"params": params, "tokens": tokens, "flops": FLOPS_PER_PARAM_TOKEN * params * tokens}.get(column)
    if values is None:
        return np.ones(len(params))
    exponent = float(power or 1)
    return np.asarray(values**exponent / np.mean(rows[column].to_numpy(dtype=float) ** exponent))


def _noise(fit: FitResult, r: Array, weights: Array, free: int) -> float:
    """Standard deviation of an estimate's residual: of squared error their own, of others as far as they are felt.

    An M-estimator scatters as least squares would with noise of E[ψ²]/E[ψ']² (Huber 1964).
    """
    objective = get_objective(fit.objective)
    if fit.delta is not None:
        objective = objective.with_delta(fit.delta)
    if float(np.sqrt(np.mean(r**2))) < EXACT:
        raise UserError(
            "These runs lie exactly on the law: without scatter there is nothing that more runs could narrow.",
            fix="Use measured losses, at full precision.",
        )
    count = float(weights.sum())
    square = float((weights * objective.slope(r) ** 2).sum()) / max(count - free, 1.0)
    bend = float((weights * smooth_bend(objective, r)).sum()) / count
    return float(np.sqrt(square) / bend)
