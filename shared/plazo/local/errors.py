"""The one error a reader of the terminal sees when the local stack cannot run."""

from plazo.kernel.errors import Kind, PlazoError


class LocalStackError(PlazoError):
    """The local stack cannot start or go on; the message is one sentence that says what to do."""

    kind = Kind.CONFLICT
    code = "local-stack"
