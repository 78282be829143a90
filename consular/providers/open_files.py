"""Room for many connections: each needs an open file, and systems begin with 256 or 1,024."""

import resource


def allow_open_files(count: int) -> None:
    """Raise this process's soft limit to at least count. Raises ValueError when the hard limit is below it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    except (ValueError, OSError):
        raise ValueError(
            f"This gateway's number of requests at once needs {count} open files, but the system allows fewer: "
            "lower the number or raise the limit (ulimit -n)."
        ) from None
