"""The five support contracts that come with the system, as policy documents."""

from importlib import resources

_SUFFIX = ".yaml"


def policy_names() -> tuple[str, ...]:
    """Name the policy documents that come with the system."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def policy_text(name: str) -> str:
    """Give the text of one policy document.

    :raises KeyError: if none of that name comes with the system
    """
    if name not in policy_names():
        raise KeyError(f"no policy document {name!r}; expected one of {', '.join(policy_names())}")
    return resources.files(__name__).joinpath(f"{name}{_SUFFIX}").read_text("utf-8")
