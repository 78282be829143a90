"""What can go wrong with the embedded servers, in one sentence that names the cure."""

from __future__ import annotations

import errno
from pathlib import Path


class EmbeddedError(Exception):
    """The embedded servers cannot be had; the text is for the person at the terminal."""


def explain_os(error: OSError, directory: Path) -> EmbeddedError:
    """The sentence for an error of the operating system while files were laid out in `directory`."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(directory)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return EmbeddedError(
            f"{directory} cannot be written: give another folder or mend its rights ({error.strerror})."
        )
    return EmbeddedError(f"The embedded servers cannot start in {directory}: {error.strerror or error}.")


def explain_output(text: str, directory: Path) -> EmbeddedError:
    """The sentence for a server that gave up, from what it wrote."""
    return disk_full(directory) if "No space left on device" in text else EmbeddedError(text)


def disk_full(directory: Path) -> EmbeddedError:
    """The sentence for a full disk."""
    return EmbeddedError(f"The disk that holds {directory} is full: free 300 MB or give a folder elsewhere.")
