"""A bug raises what the contract does not have, which would be a trap without a word. As an `Err` it is an error
of the module that says what went wrong and where.
"""

import functools

from componentize_py_types import Err


def saying_bugs(decide):
    """The same decision, which raises nothing but `Err`."""

    @functools.wraps(decide)
    def asked(*question):
        try:
            return decide(*question)
        except Err:
            raise
        except Exception as error:
            raise Err(f"{type(error).__name__}: {error} ({place(error)})") from None

    return asked


def place(error):
    """Where it was raised. The module `traceback` reads files, of which there are none."""
    step = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    code = step.tb_frame.f_code
    return f"{code.co_name} at {code.co_filename}:{step.tb_lineno}"
