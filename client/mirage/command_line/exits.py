"""Exit codes of the command, by which scripts tell what happened."""

from mirage.errors import (
    BadAddress,
    BadOption,
    BadPicture,
    KeyRefused,
    MirageError,
    NotFound,
    RequestRefused,
)

NOT_AS_ASKED = 1
"""There is a result, but not the one that was asked for: the model is not fooled, or some pictures failed."""
NOT_VALID = 2
"""The command line, a picture or an option is not valid, or a file cannot be read or written."""
NO_SERVICE = 3
"""The service cannot be reached, is full, or has failed: the same command may work later."""
KEY_REFUSED = 4
"""The API key is missing, wrong, or not good for this."""
HELP = (
    "Exit codes: 0 all is as asked; 1 the model is not fooled, or some pictures could not be classified; 2 the command "
    "line or a file is not valid; 3 the service cannot be reached, is full, or has failed; 4 the API key is refused; "
    "130 interrupted by Ctrl-C."
)


def code_of(error: MirageError) -> int:
    """The exit code for an error."""
    if isinstance(error, KeyRefused):
        return KEY_REFUSED
    if isinstance(error, BadAddress | BadOption | BadPicture | NotFound | RequestRefused):
        return NOT_VALID
    return NO_SERVICE
