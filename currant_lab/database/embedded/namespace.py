"""Run a program in a user namespace of its own: `namespace.py UID COMMAND...`.

A script, run by its path with the standard library alone. PostgreSQL refuses to run as root, and initdb as a user
without a passwd entry. Inside, this process's user is called UID, which has an entry; outside nothing changes: files
stay its own, with the same modes. Linux only.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def enter(uid: int) -> None:
    """Become `uid` of a new user namespace."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"user namespaces are not allowed here: {os.strerror(number)}")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{uid} {outer_gid} 1")


def main() -> None:
    """Enter the namespace and become the command."""
    uid, signal_at_parents_death, *command = sys.argv[1:]
    parent = os.getppid()
    try:
        enter(int(uid))
    except OSError as error:
        sys.exit(str(error))
    # After the namespace: entering it clears what was set before.
    if signal_at_parents_death != "0":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal_at_parents_death))
        if os.getppid() != parent:
            sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606 - the command is Currant's own


if __name__ == "__main__":
    main()
