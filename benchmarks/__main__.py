"""python -m benchmarks: run every benchmark with its defaults; python -m benchmarks NAME ...: one, with its options."""

import ast
import subprocess
import sys
from pathlib import Path


def benchmarks() -> dict[str, str]:
    """The scripts of this folder that have a main(), with the first line of what they say of themselves."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(each, ast.FunctionDef) and each.name == "main" for each in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main() -> int:
    """Run those that were asked for, each in a process of its own."""
    found = benchmarks()
    name, options = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else (None, [])
    if name is not None and name not in found:
        print(f"There is no benchmark {name}. There are:", file=sys.stderr)
        for each, summary in found.items():
            print(f"  {each:10} {summary}", file=sys.stderr)
        return 2
    failed = 0
    for each in [name] if name else found:
        print(f"\n== {each}: {found[each]}", flush=True)
        failed |= subprocess.call([sys.executable, "-m", f"benchmarks.{each}", *options])
    return failed


if __name__ == "__main__":
    sys.exit(main())
