"""Functions that do to a worker what it has to be held from."""

import functools
import os
import re
import resource
import signal
import stat
import sys
from pathlib import Path

from operators.sandbox.protocol import ANSWER


def loop(argument, body):
    while True:
        pass


def digits(argument, body):
    """One call of C code that takes minutes."""
    sys.set_int_max_str_digits(0)
    return len(str(3 ** (1 << 24)))


def backtrack(argument, body):
    return re.fullmatch(r"(a+)+b", "a" * 64) is None


def allocate(argument, body):
    """Fill the memory piece by piece."""
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def allocate_at_once(argument, body):
    return len(bytearray(1 << 40))


def recurse(argument, body):
    return recurse(argument, body)


def overflow(argument, body):
    """Use up the stack of C."""
    sys.setrecursionlimit(1 << 30)

    def deeper(value):
        return functools.reduce(lambda _, each: deeper(each), [0, value])

    return deeper(1)


def open_files():
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]


def is_socket(number):
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:  # the folder that listed it
        return False


def scribble(argument, body):
    """Write what is no answer to every connection there is."""
    for connection in filter(is_socket, open_files()):
        os.write(connection, b"garbage" * 100)


def answer_twice(argument, body):
    """Write two answers, the second of which would be taken for that of the next call."""
    (connection,) = filter(is_socket, open_files())
    os.write(connection, 2 * (ANSWER.pack(0, False, 0, 4) + b"null"))


def stop(argument, body):
    os.kill(os.getpid(), signal.SIGSTOP)


def leave(argument, body):
    os._exit(3)


def refuse(argument, body):
    raise ValueError(argument)


def fail(argument, body):
    return {}[argument]


def echo(argument, body):
    return [argument, body.decode()]


def long_answer(argument, body):
    return "x" * argument


def pid(argument, body):
    return os.getpid()


def grow(argument, body):
    """Touch so much memory, and let go of it."""
    return len(b"x" * argument)


def surroundings(argument, body):
    limits = ("AS", "CORE", "FSIZE", "NOFILE", "STACK")
    return {
        "environment": dict(os.environ),
        "files": open_files(),
        "limits": {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in limits},
        "parent": os.getppid(),
        "log": str(Path("/proc/self/fd/2").readlink()),
        "nice": os.nice(0),
    }


FUNCTIONS = {
    function.__name__: function
    for function in (
        loop,
        digits,
        backtrack,
        allocate,
        allocate_at_once,
        recurse,
        overflow,
        scribble,
        answer_twice,
        stop,
        leave,
        refuse,
        fail,
        echo,
        long_answer,
        pid,
        grow,
        surroundings,
    )
}
