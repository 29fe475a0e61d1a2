"""`python -m plazo.cli`: the same as the command `plazo`."""

from plazo.cli import app

if __name__ == "__main__":
    app()
