"""Neural architecture search inside ``fit``: scikit-learn estimators that grow their network."""

__version__ = "0.1.0"
