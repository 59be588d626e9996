"""What `import sknas` offers, and what it does not wait for."""

import pkgutil
import subprocess
import sys

import pytest
import sklearn
import torch

import sknas


def imported(statement):
    """Return the modules that a new process has imported after a statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(run.stdout.split())


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    modules = imported("import sknas")
    assert "sknas" in modules
    assert not modules & {"torch", "sklearn", "pandas", "numpy"}
    assert "torch" in imported("from sknas import GrowingDARTSRegressor")


def test_an_estimator_waits_for_nothing_that_only_fits_need():
    assert not imported("from sknas import GrowingDARTSForecaster") & {
        "skorch",
        "sklearn.linear_model",
    }


@pytest.mark.parametrize("name", sknas.__all__)
def test_every_public_name_is_there_and_listed(name):
    assert name in dir(sknas)
    assert getattr(sknas, name) is getattr(sknas, name)


PUBLIC = sorted(
    module.name
    for module in pkgutil.iter_modules(sknas.__path__)
    if not module.name.startswith("_")
)


def test_packages_need_no_import_of_their_own():
    asked = "; ".join(f"sknas.{name}" for name in PUBLIC)
    assert {f"sknas.{name}" for name in PUBLIC} <= imported(f"import sknas; {asked}")
    assert set(PUBLIC) <= set(dir(sknas))


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="module 'sknas' has no attribute 'Growing'"):
        _ = sknas.Growing


def test_versions_are_those_of_what_is_installed(capsys):
    sknas.show_versions()
    told = dict(
        line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line
    )
    told = {name.strip(): value for name, value in told.items()}
    assert told["sknas"] == sknas.__version__ or told["sknas"] == "not installed"
    assert told["torch"] == torch.__version__
    assert told["threads of torch"] == str(torch.get_num_threads())
    assert told["scikit-learn"] == sklearn.__version__
