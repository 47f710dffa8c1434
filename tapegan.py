"""TapeGAN by its own name: ``import tapegan`` gives what ``import gan`` gives, and checks it.

Other modules are called `gan` too: a package on PyPI, whose files overwrite ours when both are
installed, and any gan.py of yours, which comes first on Python's path. This says so.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from gan import *  # noqa: F403


def checked() -> Any:
    """Returns the package `gan`, if that is TapeGAN's.

    Raises:
        ImportError: It is another one; says which, and what helps.
    """
    import gan

    if getattr(gan, "DISTRIBUTION", "") == "tapegan":
        return gan
    place = Path(getattr(gan, "__file__", None) or next(iter(gan.__path__)))
    inside = place if place.name != "__init__.py" else place.parent
    if inside == Path(__file__).parent / "gan":
        helps = "another package has overwritten it: pip uninstall gan, then install tapegan again"
    else:
        helps = "it comes first on Python's path: rename it, or start Python elsewhere"
    raise ImportError(f"the module gan is not TapeGAN's but {inside}; {helps}")


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__version__":
        raise AttributeError(name)  # of the import system, before the check could help
    return getattr(checked(), name)


def __dir__() -> list[str]:
    return dir(checked())


def main() -> NoReturn:
    """Runs the command ``tapegan``; an error is one line, as all of its errors are."""
    try:
        checked()
        from gan.cli.main import main as run
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # before a command listens for it
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
