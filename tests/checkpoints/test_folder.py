"""A folder keeps the last two states, whatever happens to it, and serves one process at a time."""

import errno
import os
import signal
import subprocess
import sys
import warnings

import pytest

from sknas._checkpoints import Folder
from sknas.exceptions import SearchWarning
from tests.small import ROOT


def folder_of(tmp_path, *states):
    folder = Folder(tmp_path, "key")
    for state in states:
        folder.write(state)
    return folder


def files(tmp_path):
    return sorted(tmp_path.glob("key/state-*"))


def reopened(tmp_path):
    folder = Folder(tmp_path, "key")
    newest = folder.newest()
    folder.close()
    return newest


def test_the_newest_state_is_found_again(tmp_path):
    assert reopened(tmp_path) is None
    folder_of(tmp_path, b"one", b"two", b"three").close()
    assert reopened(tmp_path) == b"three"


def test_two_are_kept_and_nothing_half_written(tmp_path):
    folder_of(tmp_path, b"one", b"two", b"three", b"four").close()
    assert len(files(tmp_path)) == 2
    assert {path.name for path in (tmp_path / "key").iterdir()} == {
        "lock",
        *(path.name for path in files(tmp_path)),
    }


def test_numbers_go_on_after_a_crash(tmp_path):
    folder_of(tmp_path, b"one", b"two").close()
    folder_of(tmp_path, b"three").close()
    assert reopened(tmp_path) == b"three"
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_of_a_state_cut_short_the_one_before_is_taken(tmp_path, share):
    folder_of(tmp_path, b"one" * 100, b"two" * 100).close()
    newest = files(tmp_path)[-1]
    written = newest.read_bytes()
    newest.write_bytes(written[: int(share * len(written))])
    with pytest.warns(SearchWarning, match=f"{newest.name} is damaged and passed over"):
        assert reopened(tmp_path) == b"one" * 100


@pytest.mark.parametrize("place", [0, 5, 30, -1])
def test_of_a_state_with_a_wrong_byte_the_one_before_is_taken(tmp_path, place):
    folder_of(tmp_path, b"one" * 100, b"two" * 100).close()
    newest = files(tmp_path)[-1]
    written = bytearray(newest.read_bytes())
    written[place] ^= 1
    newest.write_bytes(bytes(written))
    with pytest.warns(SearchWarning, match="damaged"):
        assert reopened(tmp_path) == b"one" * 100


def test_where_no_state_is_whole_there_is_none(tmp_path):
    folder_of(tmp_path, b"one", b"two").close()
    for path in files(tmp_path):
        path.write_bytes(b"")
    with pytest.warns(SearchWarning, match="damaged"):
        assert reopened(tmp_path) is None


def test_what_is_left_of_a_crash_while_writing_is_no_state(tmp_path):
    folder_of(tmp_path, b"one").close()
    (tmp_path / "key" / "state-000002.part").write_bytes(b"half")
    assert reopened(tmp_path) == b"one"
    assert len(list((tmp_path / "key").iterdir())) == 2


@pytest.mark.parametrize("name", ["__version__", "_FORMAT"])
def test_a_state_of_another_version_is_refused(tmp_path, monkeypatch, name):
    folder_of(tmp_path, b"one").close()
    monkeypatch.setattr(f"sknas._checkpoints.folder.{name}", "99")
    folder = Folder(tmp_path, "key")
    with pytest.raises(ValueError, match=r"checkpoint_dir must hold states of these versions.*99"):
        folder.newest()
    folder.close()


def test_a_folder_that_was_given_another_key_is_refused(tmp_path):
    folder_of(tmp_path, b"one").close()
    (tmp_path / "key").rename(tmp_path / "other")
    folder = Folder(tmp_path, "other")
    with pytest.raises(ValueError, match="key='key'"):
        folder.newest()
    folder.close()


def test_a_full_disk_is_warned_of_once_and_loses_nothing(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, b"one", b"two")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.warns(SearchWarning, match=r"checkpoint_dir='.*' does not take .*No space"):
            folder.write(b"three")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            folder.write(b"four")
    assert folder.newest() == b"two"
    folder.write(b"five")
    assert folder.newest() == b"five"
    assert not list(tmp_path.glob("key/*.part"))
    folder.close()


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="checkpoint_dir must be a folder that can be written"):
        Folder(tmp_path / "file", "key")


def test_two_at_once_never_share_a_file(tmp_path):
    first, second = Folder(tmp_path, "key"), Folder(tmp_path, "key")
    assert first.path != second.path
    first.write(b"first")
    second.write(b"second")
    assert (first.newest(), second.newest()) == (b"first", b"second")
    first.close()
    second.close()
    assert reopened(tmp_path) == b"first"


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that cannot be caught")
def test_a_killed_process_holds_nothing(tmp_path):
    code = (
        "import sys, time; from sknas._checkpoints import Folder\n"
        "folder = Folder(sys.argv[1], 'key'); folder.write(b'left'); print('held', flush=True)\n"
        "time.sleep(600)"
    )
    held = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert held.stdout.readline() == b"held\n"
    beside = Folder(tmp_path, "key")
    assert beside.path.name == "key-2"
    beside.close()
    held.send_signal(signal.SIGKILL)
    held.wait()
    held.stdout.close()
    assert reopened(tmp_path) == b"left"
