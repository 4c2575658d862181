"""What the offline commands share: a user's error or Ctrl-C is one sentence and a non-zero exit."""

from __future__ import annotations

import errno
import functools
import signal
import sys
from collections.abc import Callable

from face.errors import UserError


def one_sentence(main: Callable[[], int]) -> Callable[[], int]:
    """A command's ``main`` that prints a ``UserError`` instead of raising it, and returns 1; 130 after Ctrl-C.

    SIGTERM is taken for Ctrl-C, which a command in the background does not hear.
    """

    @functools.wraps(main)
    def guarded() -> int:
        terminate = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return main()
        except UserError as error:
            print(error, file=sys.stderr)
            return 1
        except OSError as error:
            # NumPy does not pass on why the end of an array was not written.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) and "requested and" not in str(error):
                raise
            print("The disk is full: make room, and give the same command again; it goes on.", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nStopped: the same command goes on.", file=sys.stderr)
            return 130
        finally:
            signal.signal(signal.SIGTERM, terminate)

    return guarded
