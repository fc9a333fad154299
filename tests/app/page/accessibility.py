"""Checks a page for accessibility with axe-core."""

import json
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import CDPSession, Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""The rules for levels A and AA of WCAG 2.0 to 2.2, and axe-core's own recommendations."""
RUN = """
axe.run(document, {{
  runOnly: axe.getRules({tags}).filter(({{ tags }}) => !tags.includes("deprecated")).map(({{ ruleId }}) => ruleId),
  resultTypes: ["violations"],
}}).then((results) => results.violations)
"""
"""Rules that axe-core leaves out unless they are named, such as the one for the size of targets, are applied too."""


def violations(page: Page) -> list[str]:
    """Return one text for each element that breaks a rule: the rule, the element, and what is wrong with it.

    axe-core is run by the protocol of the developer tools, which a page's security policy does not restrict.
    """
    session = page.context.new_cdp_session(page)
    try:
        _evaluate(session, AXE_FILE_PATH.read_text(encoding="utf-8") + ";0")
        found = _evaluate(session, RUN.format(tags=json.dumps(TAGS)))
    finally:
        session.detach()
    return [
        f"{rule['id']} ({rule['impact']}): {node['target'][0]}\n{node['html']}\n{node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def _evaluate(session: CDPSession, expression: str) -> Any:
    """The value of an expression in the page, awaited if it is a promise."""
    options = {"expression": expression, "awaitPromise": True, "returnByValue": True}
    answer = session.send("Runtime.evaluate", options)
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    return answer["result"]["value"]
