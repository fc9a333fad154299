"""python -m benchmarks: run every benchmark with its defaults; python -m benchmarks NAME ...: one, with its options."""

import ast
import subprocess
import sys
from pathlib import Path


def benchmarks() -> dict[str, str]:
    """The scripts of this folder that have a main(), by name, with the first line of their docstrings."""
    scripts = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            scripts[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return scripts


def main() -> int:
    """Run the benchmark that the command line names, or all of them, each in its own process."""
    scripts = benchmarks()
    name, options = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else (None, [])
    if name is not None and name not in scripts:
        print(f"There is no benchmark {name}. There are:", file=sys.stderr)
        for script, summary in scripts.items():
            print(f"  {script:10} {summary}", file=sys.stderr)
        return 2
    failed = 0
    for script in [name] if name else scripts:
        print(f"\n== {script}: {scripts[script]}", flush=True)
        failed |= subprocess.call([sys.executable, "-m", f"benchmarks.{script}", *options])
    return failed


if __name__ == "__main__":
    sys.exit(main())
