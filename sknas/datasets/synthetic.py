"""Planted truths: data whose law is known, each beyond the reach of some model."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

Seed = int | np.random.RandomState | None

_STEP = 0.25  # time between two rows of the coupled oscillation
_SUBSTEPS = 5  # integration steps a row
_BURN_IN = 200  # rows left out, until the oscillators are on their limit cycle
_FREQUENCIES = np.array([1.0, 1.6])
_DAMPING = 0.3
_COUPLING = 0.2


def make_linear_law(
    n_samples: int = 1000,
    n_features: int = 5,
    noise: float = 0.1,
    random_state: Seed = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw samples of a linear law, which nothing should be grown for.

    `y = x0 - x1 / 2 + x2 / 3 - ... + noise * e`, with all `x` and `e` standard normal.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=5
        Number of columns.
    noise : float, default=0.1
        Standard deviation of the noise on `y`.
    random_state : int, RandomState or None, default=None
        Source of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The features.
    y : ndarray of shape (n_samples,)
        The target.

    Raises
    ------
    ValueError
        If a size is below 1 or `noise` is negative.

    Examples
    --------
    >>> X, y = make_linear_law(n_features=2, noise=0.0, random_state=0)
    >>> bool(np.allclose(y, X[:, 0] - X[:, 1] / 2))
    True
    """
    _check_size("n_samples", n_samples, 1)
    _check_size("n_features", n_features, 1)
    _check_noise(noise)
    rng = check_random_state(random_state)
    X = rng.standard_normal((n_samples, n_features))
    numbers = np.arange(n_features)
    coefficients = (-1.0) ** numbers / (numbers + 1)
    return X, X @ coefficients + noise * rng.standard_normal(n_samples)


def make_product(
    n_samples: int = 1000,
    n_features: int = 5,
    noise: float = 0.1,
    random_state: Seed = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw samples of a product, which has no linear part at all.

    `y = x0 * x1 + noise * e`, with all `x` and `e` standard normal. The other features
    play no role. `y` is uncorrelated with every feature.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=5
        Number of columns, at least 2.
    noise : float, default=0.1
        Standard deviation of the noise on `y`; that of the product is 1.
    random_state : int, RandomState or None, default=None
        Source of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The features.
    y : ndarray of shape (n_samples,)
        The target.

    Raises
    ------
    ValueError
        If `n_samples` is below 1, `n_features` is below 2 or `noise` is negative.

    Examples
    --------
    >>> X, y = make_product(noise=0.0, random_state=0)
    >>> bool(np.allclose(y, X[:, 0] * X[:, 1]))
    True
    """
    _check_size("n_samples", n_samples, 1)
    _check_size("n_features", n_features, 2)
    _check_noise(noise)
    rng = check_random_state(random_state)
    X = rng.standard_normal((n_samples, n_features))
    return X, X[:, 0] * X[:, 1] + noise * rng.standard_normal(n_samples)


def make_gated_memory(
    n_samples: int = 500,
    n_steps: int = 24,
    n_channels: int = 3,
    noise: float = 0.05,
    random_state: Seed = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw sequences whose target is a memory that a gate writes products to.

    With all entries of `x` and `e` standard normal, and `h_0 = 0`,

    - `g_t = sigmoid(3 * x_t0 - 2)`, a gate that is mostly closed;
    - `h_t = (1 - g_t) * h_(t-1) + g_t * (x_t1 * x_t2)`;
    - `y = h_T + noise * e`, where `T` is the last step.

    Channels beyond the third play no role. The target is uncorrelated with every entry
    of the sequence, and depends on what the gates did since: neither a linear model nor
    a recurrence that only adds can follow it.

    Parameters
    ----------
    n_samples : int, default=500
        Number of sequences.
    n_steps : int, default=24
        Length of each sequence in steps.
    n_channels : int, default=3
        Number of channels, at least 3.
    noise : float, default=0.05
        Standard deviation of the noise on `y`; that of the memory is about 0.7.
    random_state : int, RandomState or None, default=None
        Source of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, n_steps, n_channels)
        The sequences, oldest step first.
    y : ndarray of shape (n_samples,)
        The target.

    Raises
    ------
    ValueError
        If `n_samples` or `n_steps` is below 1, `n_channels` is below 3 or `noise` is
        negative.

    Examples
    --------
    >>> X, y = make_gated_memory(random_state=0)
    >>> X.shape, y.shape
    ((500, 24, 3), (500,))
    """
    _check_size("n_samples", n_samples, 1)
    _check_size("n_steps", n_steps, 1)
    _check_size("n_channels", n_channels, 3)
    _check_noise(noise)
    rng = check_random_state(random_state)
    X = rng.standard_normal((n_samples, n_steps, n_channels))
    gates = 1 / (1 + np.exp(2 - 3 * X[:, :, 0]))  # (n_samples, n_steps)
    products = X[:, :, 1] * X[:, :, 2]
    memory = np.zeros(n_samples)
    for gate, product in zip(gates.T, products.T, strict=True):
        memory = (1 - gate) * memory + gate * product
    return X, memory + noise * rng.standard_normal(n_samples)


def make_coupled_oscillation(
    n_timepoints: int = 1500, noise: float = 0.05, random_state: Seed = None
) -> pd.DataFrame:
    """Draw a series of two weakly nonlinear oscillators that pull at each other.

    The positions `p` and `q` of two van der Pol oscillators,

    - `p'' = 0.3 * (1 - p**2) * p' - 1.0**2 * p + 0.2 * (q - p)`,
    - `q'' = 0.3 * (1 - q**2) * q' - 1.6**2 * q + 0.2 * (p - q)`,

    are integrated (Runge-Kutta, fourth order) from random positions, and seen every
    0.25 units of time, on their limit cycle, with white noise. A linear model of the
    past does well and a nonlinear one better; each channel helps to foresee the other.

    Parameters
    ----------
    n_timepoints : int, default=1500
        Number of rows; a period of the fast oscillator takes about 15 of them, one
        of the slow oscillator 23.
    noise : float, default=0.05
        Standard deviation of the noise on each channel; that of the oscillations is
        about 1.4.
    random_state : int, RandomState or None, default=None
        Source of the draws.

    Returns
    -------
    pandas.DataFrame of shape (n_timepoints, 2)
        The channels "slow" and "fast"; the index is a RangeIndex named "time".

    Raises
    ------
    ValueError
        If `n_timepoints` is below 1 or `noise` is negative.

    Examples
    --------
    >>> make_coupled_oscillation(n_timepoints=100, random_state=0).shape
    (100, 2)
    """
    _check_size("n_timepoints", n_timepoints, 1)
    _check_noise(noise)
    rng = check_random_state(random_state)
    state = rng.uniform(-2, 2, size=(2, 2))  # (position and velocity, oscillator)
    positions = np.empty((_BURN_IN + n_timepoints, 2))
    for row in range(len(positions)):
        positions[row] = state[0]
        for _ in range(_SUBSTEPS):
            state = _runge_kutta(state, _STEP / _SUBSTEPS)
    seen = positions[_BURN_IN:] + noise * rng.standard_normal((n_timepoints, 2))
    index = pd.RangeIndex(n_timepoints, name="time")
    return pd.DataFrame(seen, index=index, columns=["slow", "fast"])


def _runge_kutta(state: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    first = _velocity(state)
    second = _velocity(state + step / 2 * first)
    third = _velocity(state + step / 2 * second)
    fourth = _velocity(state + step * third)
    return state + step / 6 * (first + 2 * second + 2 * third + fourth)


def _velocity(state: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the rate of change of the positions and velocities."""
    position, velocity = state
    acceleration = (
        _DAMPING * (1 - position**2) * velocity
        - _FREQUENCIES**2 * position
        + _COUPLING * (position[::-1] - position)
    )
    return np.stack([velocity, acceleration])


def _check_size(name: str, value: int, minimum: int) -> None:
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {value!r}.")


def _check_noise(noise: float) -> None:
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be finite and not negative; got {noise!r}.")
