"""The state of an estimator as its files hold it, with the versions that wrote it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from sknas._plain import from_plain, to_plain
from sknas._version import __version__
from sknas.exceptions import VersionWarning

__all__ = ["FORMAT", "kept", "read_back"]

FORMAT = 1  # goes up when earlier versions could not read what this one writes
_FORMAT, _VERSION = "_sknas_format", "_sknas_version"


def kept(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written of a state.

    Parameters
    ----------
    state : mapping
        Attributes by their names.

    Returns
    -------
    dict
        Arrays and plain Python, with the format and the version of this package.
    """
    plain = {name: to_plain(value) for name, value in state.items()}
    return {_FORMAT: FORMAT, _VERSION: __version__, **plain}


def read_back(written: Mapping[str, Any], estimator: str) -> dict[str, Any]:
    """Return the state of which something was written.

    Parameters
    ----------
    written : mapping
        What `kept` returned, perhaps under another version.
    estimator : str
        The estimator's name, for messages.

    Returns
    -------
    dict
        Attributes by their names.

    Raises
    ------
    ValueError
        If it was written in a later format, or by no version of this package.
    """
    written = dict(written)
    wrote, form = written.pop(_VERSION, None), written.pop(_FORMAT, None)
    if not isinstance(form, int):
        raise ValueError(
            f"the state of {estimator} must name the format it was written in; got {form!r}."
        )
    if form > FORMAT:
        raise ValueError(
            f"{estimator} was written by sknas {wrote} in the format {form}, and this is sknas "
            f"{__version__}, which reads formats up to {FORMAT}. Install sknas {wrote} or later "
            "to load it, or fit it anew."
        )
    if wrote != __version__:
        warnings.warn(
            f"{estimator} was written by sknas {wrote}, and this is sknas {__version__}. It may "
            f"predict differently, or fail. Install sknas {wrote} to load it as it was, or fit it "
            "anew and save that.",
            VersionWarning,
            stacklevel=3,
        )
    return {name: from_plain(value) for name, value in written.items()}
