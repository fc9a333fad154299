"""Run all parts of the benchmarks and record their figures, or run one script with its options.

python -m benchmarks                      all parts; writes docs/benchmarks/MACHINE.json and the tables
python -m benchmarks --only network,gpu   some parts; the figures of the others stay as they are
python -m benchmarks NAME [options]       one script, which prints its figures and records nothing
python -m benchmarks tables               write the tables in docs/benchmarks.md again from the recorded figures
"""

import argparse
import ast
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import describe_machine
from benchmarks.parts import PARTS, Part
from benchmarks.record import FOLDER, Record, run_part
from benchmarks.tables import write_tables


def scripts() -> dict[str, str]:
    """The scripts of this folder that have a main(), by name, with the first line of their docstrings."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main() -> int:
    """Do what the command line says; the exit status is 1 if a part failed."""
    arguments = sys.argv[1:]
    if arguments and not arguments[0].startswith("-"):
        return _run_script(arguments[0], arguments[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of parts, separated by commas (all)")
    parser.add_argument("--machine", help="name of the record in docs/benchmarks (made from the processor's features)")
    options = parser.parse_args(arguments)
    names = [name.strip() for name in options.only.split(",") if name.strip()] or [part.name for part in PARTS]
    if unknown := set(names) - {part.name for part in PARTS}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(part.name for part in PARTS)}")
    return _run_parts([part for part in PARTS if part.name in names], options.machine)


def _run_script(name: str, options: list[str]) -> int:
    if name == "tables":
        write_tables()
        return 0
    known = scripts()
    if name not in known:
        print(f"There is no benchmark {name}. There are:", file=sys.stderr)
        for script, summary in known.items():
            print(f"  {script:20} {summary}", file=sys.stderr)
        return 2
    return subprocess.call([sys.executable, "-m", f"benchmarks.{name}", *options])


def _run_parts(parts: list[Part], machine_name: str | None) -> int:
    """Run the parts one after the other; what one has measured is recorded before the next begins."""
    machine = describe_machine()
    record = Record.open(FOLDER / f"{machine_name or machine.slug}.json", machine)
    minutes = sum(part.seconds for part in parts) / 60
    print(f"{machine.text}\n{len(parts)} parts take about {minutes:.0f} minutes if nothing else runs", flush=True)
    failed = 0
    for number, part in enumerate(parts, start=1):
        print(f"\n== {number} of {len(parts)}: {part.title} (about {part.seconds} s)", flush=True)
        result = run_part(part)
        record.keep(part, result)
        failed |= result.failed
        print(f"-- {part.name}: {result.outcome} after {result.seconds:.0f} s", flush=True)
    write_tables()
    print(f"\nRecorded in {record.file}; the tables in docs/benchmarks.md are written again")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
