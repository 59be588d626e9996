"""Try an installed sknas, alone in its environment: forecast, classify, store, weigh."""

from __future__ import annotations

import importlib.metadata as metadata
import pickle
from pathlib import Path

import numpy as np

import sknas
from sknas import GrowingDARTSClassifier, GrowingDARTSForecaster, GrowingDARTSRegressor
from sknas.datasets import load_beijing_air

BRIEF = {"search_epochs": 2, "max_epochs": 2, "random_state": 0}


def main() -> None:
    """Run a few short fits on packaged data, and print the size of the environment."""
    home = Path(sknas.__file__).parent
    if Path(__file__).resolve().parents[1] in home.parents and "site-packages" not in home.parts:
        raise SystemExit(f"sknas comes from {home}: this tries an installed one.")
    if not (home / "py.typed").is_file():
        raise SystemExit(f"{home} has no py.typed, so its types are lost.")

    air = load_beijing_air().iloc[:400]
    forecaster = GrowingDARTSForecaster(lookback=24, horizon=6, **BRIEF).fit(air)
    forecast = pickle.loads(pickle.dumps(forecaster)).predict()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    regressor = GrowingDARTSRegressor(**BRIEF).fit(X, X[:, 0] * X[:, 1])
    classifier = GrowingDARTSClassifier(**BRIEF).fit(X, np.where(X[:, 0] > 0, "up", "down"))
    made = (forecast.to_numpy(), regressor.predict(X), classifier.predict_proba(X))
    if not all(np.isfinite(values).all() for values in made):
        raise SystemExit("A prediction is not finite.")

    required = [one for one in metadata.requires("sknas") or [] if "extra ==" not in one]
    site = home.parent
    megabytes = {
        folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        for folder in (home, site)
    }
    print(f"sknas {sknas.__version__}: {megabytes[home]:.1f} MB; requires {', '.join(required)}")
    n_packages = sum(1 for _ in metadata.distributions())
    print(f"its environment: {megabytes[site]:.0f} MB in {n_packages} packages")


if __name__ == "__main__":
    main()
