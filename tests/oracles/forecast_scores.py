"""Scores of forecasts written out as loops over origins, steps and targets."""

import math


def entries(truth, *others):
    """List (truth, other, ...) of each observed entry."""
    n_origins, horizon, n_targets = truth.shape
    return [
        (truth[i, s, j], *(other[i, s, j] for other in others))
        for i in range(n_origins)
        for s in range(horizon)
        for j in range(n_targets)
        if not math.isnan(truth[i, s, j])
    ]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def looped_mae(truth, forecast):
    return mean(abs(y - f) for y, f in entries(truth, forecast))


def looped_mse(truth, forecast):
    return mean((y - f) ** 2 for y, f in entries(truth, forecast))


def looped_rmse(truth, forecast):
    return math.sqrt(looped_mse(truth, forecast))


def looped_mase(truth, forecast, history, season):
    n_origins, horizon, n_targets = truth.shape
    scaled = []
    for i in range(n_origins):
        rows = history[i] if history.ndim == 3 else history
        for j in range(n_targets):
            steps = [abs(rows[t][j] - rows[t - season][j]) for t in range(season, len(rows))]
            steps = [step for step in steps if not math.isnan(step)]
            if not steps or mean(steps) == 0:
                continue
            for s in range(horizon):
                if not math.isnan(truth[i, s, j]):
                    scaled.append(abs(truth[i, s, j] - forecast[i, s, j]) / mean(steps))
    return mean(scaled)


def by_series(truth, forecast, series):
    """List the (truth, forecast) of each series."""
    if series is None:
        return [(truth, forecast)]
    keys = sorted(set(series))
    rows = [[i for i, other in enumerate(series) if other == key] for key in keys]
    return [(truth[some], forecast[some]) for some in rows]


def looped_rse(truth, forecast, series=None):
    errors, deviations = 0.0, 0.0
    for part in by_series(truth, forecast, series):
        pairs = entries(*part)
        center = mean(y for y, _ in pairs)
        errors += sum((y - f) ** 2 for y, f in pairs)
        deviations += sum((y - center) ** 2 for y, _ in pairs)
    return math.sqrt(errors) / math.sqrt(deviations)


def looped_corr(truth, forecast, series=None):
    parts = by_series(truth, forecast, series)
    return mean(one for part in parts for one in looped_correlations(*part))


def looped_correlations(truth, forecast):
    correlations = []
    for s in range(truth.shape[1]):
        for j in range(truth.shape[2]):
            pairs = entries(truth[:, s : s + 1, j : j + 1], forecast[:, s : s + 1, j : j + 1])
            if len({y for y, _ in pairs}) < 2:
                continue
            if len({f for _, f in pairs}) < 2:
                correlations.append(0.0)
                continue
            y_center, f_center = mean(y for y, _ in pairs), mean(f for _, f in pairs)
            product = sum((y - y_center) * (f - f_center) for y, f in pairs)
            y_square = sum((y - y_center) ** 2 for y, _ in pairs)
            f_square = sum((f - f_center) ** 2 for _, f in pairs)
            correlations.append(product / math.sqrt(y_square * f_square))
    return correlations


def looped_coverage(truth, lower, upper):
    return mean(low <= y <= high for y, low, high in entries(truth, lower, upper))


def looped_pinball(truth, quantile, alpha):
    return mean(
        alpha * (y - q) if y > q else (1 - alpha) * (q - y) for y, q in entries(truth, quantile)
    )
