"""Write the tables of docs/ that are made from the code, and that people read without building the site."""

from docsite.settings_table import MARK, PAGE, settings_table, with_table


def main() -> None:
    """Write each page again if its table has changed."""
    text = PAGE.read_text(encoding="utf-8")
    new = with_table(text, MARK, settings_table())
    if new != text:
        PAGE.write_text(new, encoding="utf-8")
        print(f"wrote {PAGE.name} again: commit it")


if __name__ == "__main__":
    main()
