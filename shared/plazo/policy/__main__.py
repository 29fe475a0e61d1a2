"""Write the files generated from this package: the policy schema and, in a checkout, the page of clauses."""

from pathlib import Path

from plazo.policy.clauses import clauses_page
from plazo.policy.schema import policy_schema_text

SHARED = Path(__file__).parents[2]


def generated_files() -> dict[Path, str]:
    """Give the content that each generated file should have."""
    return {
        SHARED / "plazo" / "policies" / "policy.schema.json": policy_schema_text(),
        SHARED / "docs" / "clauses.md": clauses_page(),
    }


def write_files() -> None:
    """Write the generated files."""
    for path, text in generated_files().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write_files()
