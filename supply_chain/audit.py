"""Look every locked package up in public databases of known vulnerabilities: python -m supply_chain.audit.

pip-audit asks OSV (osv.dev) about the Python packages, and npm asks its registry about the tools of the page. The exit
status is 0 if every package was looked up and none has a known vulnerability, 1 if a vulnerability was found, and 3 if
none was found, but not every package could be looked up, for example because a database cannot be reached from here.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "app" / "page"
"""The folder of npm's lock."""
FOUND = 1
"""Exit status if a package has a known vulnerability."""
NOT_CHECKED = 3
"""Exit status if no vulnerability was found, but not every package could be looked up; 2 is that of a wrong option."""

Pin = tuple[str, str]
"""The normalised name of a Python package, and its version."""


class NotChecked(Exception):
    """Not every package could be looked up; the text says why, and what to do about it."""


def read_pins(locks: Sequence[Path]) -> list[Pin]:
    """The packages of the locks for all systems and all versions of Python, each version once.

    pip-audit's own reader of such files leaves out what is not for the system and the Python that it runs on.
    """
    pins = set()
    for lock in locks:
        lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if line and line[0] not in " #"]
        for requirement in (Requirement(line.removesuffix("\\")) for line in lines):
            (specifier,) = requirement.specifier
            pins.add((canonicalize_name(requirement.name), specifier.version))
    return sorted(pins)


def audit_python(pins: Sequence[Pin], *, osv_url: str | None = None) -> list[str]:
    """The known vulnerabilities of Python packages, one line each, from OSV or its copy at `osv_url`.

    Raises NotChecked.
    """
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        tables = [f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in pins]
        Path(folder, "pylock.toml").write_text("\n".join(['lock-version = "1.0"\n', *tables]), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--locked", folder, "--vulnerability-service", "osv"]
        command += ["--format", "json", "--output", str(report), "--progress-spinner", "off"]
        command += ["--osv-url", osv_url] if osv_url else []
        done = subprocess.run(command, capture_output=True, text=True)
        # The exit status is 1 for a vulnerability and for most errors alike; only after errors there is no report.
        if not report.is_file():
            raise NotChecked(f"OSV (osv.dev) could not be asked ({_last_line(done.stderr)})")
        packages = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    checked = {(package["name"], package["version"]) for package in packages if "skip_reason" not in package}
    if missing := [f"{name} {version}" for name, version in pins if (name, version) not in checked]:
        raise NotChecked(f"pip-audit has left out {', '.join(missing)}")
    return [_describe(package, fault) for package in packages for fault in package["vulns"]]


def _describe(package: dict[str, Any], fault: dict[str, Any]) -> str:
    identifiers = ", ".join([fault["id"], *fault["aliases"]])
    remedy = f"fixed in {', '.join(fault['fix_versions'])}" if fault["fix_versions"] else "no version fixes it"
    return f"{package['name']} {package['version']}: {fault['description'].strip()} ({identifiers}; {remedy})"


def audit_page(folder: Path = PAGE) -> list[str]:
    """The known vulnerabilities of the packages in npm's lock, one line each. Raises NotChecked."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotChecked("npm was not found: install Node.js 20 or newer, and npm where it is a package of its own")
    command = [npm, "audit", "--json", "--package-lock-only"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise NotChecked(f"npm audit has failed ({_last_line(done.stderr)})") from None
    if "vulnerabilities" not in report:
        raise NotChecked(f"npm's registry could not be asked ({report.get('message') or _last_line(done.stderr)})")
    return [
        f"{fault['name']} {fault['range']}: {fault['title']} ({fault['url']})"
        for package in report["vulnerabilities"].values()
        for fault in package["via"]
        if isinstance(fault, dict)  # a text names another package of the report that this one needs
    ]


def _last_line(text: str) -> str:
    """The last line of what a program has printed: after an exception of Python, its message."""
    return (text.strip().splitlines() or ["it printed nothing"])[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the packages of both languages, print what was found, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--osv-url", help="address of another copy of OSV's query API, for a network with its own")
    options = parser.parse_args(arguments)
    locks = sorted(REPOSITORY.glob("requirements*.lock"))
    pins = read_pins(locks)
    audits: dict[str, Callable[[], list[str]]] = {
        f"{len(pins)} Python packages of {len(locks)} locks": lambda: audit_python(pins, osv_url=options.osv_url),
        "JavaScript packages of app/page/package-lock.json": audit_page,
    }
    statuses = [_report(what, audit) for what, audit in audits.items()]
    return FOUND if FOUND in statuses else max(statuses)


def _report(what: str, audit: Callable[[], list[str]]) -> int:
    """Print what one audit has found, and return its exit status."""
    try:
        found = audit()
    except NotChecked as error:
        print(
            f"NOT CHECKED: {what}: {error}. They may have known vulnerabilities or not: repeat `make audit` where the "
            "databases can be reached.",
            file=sys.stderr,
        )
        return NOT_CHECKED
    for line in found:
        print(line)
    print(f"{what}: {len(found) or 'no'} known {'vulnerability' if len(found) == 1 else 'vulnerabilities'}")
    return FOUND if found else 0


if __name__ == "__main__":
    sys.exit(main())
