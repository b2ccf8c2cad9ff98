"""Writes a compact table of a JSON report of `conformance server`.     judged.py NAME REPORT.json TABLE.md"""
import json
import re
import sys

VERSIONS = {
    "scim2-server": "scim2-server 0.8.3 (PyPI), by its own command",
    "scimmy-routers": "scimmy-routers 1.3.2 and scimmy 1.3.5 (npm) on express 5",
    "scimmy-routers-express4": "scimmy-routers 1.3.2 and scimmy 1.3.5 (npm) on express 4",
    "scim-server": "the crate scim-server 0.5.3 behind the host in `bench/peers/scim-server/src/bin`",
}
# What differs from run to run.
CHANGING = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b", "ID"),
    (r"conformance-[0-9a-z]+-", "conformance-"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
    (r"mixed case in '[^']*'", "mixed case in 'VERSION'"),
    (r"127\.0\.0\.1:\d+", "HOST"),
]


def why(case):
    text = " ".join(case["because"].split())
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    text = text if len(text) <= 170 else text[:169] + "…"
    return "`` " + text.replace("|", "\\|") + " ``"


def main(name, report, table):
    with open(report, encoding="utf-8") as file:
        got = json.load(file)
    of = got["summary"]
    rows = [case for case in got["cases"] if case["verdict"] in ("fail", "error", "warn", "skipped")]
    rows.sort(key=lambda case: (["error", "fail", "warn", "skipped"].index(case["verdict"]), case["id"]))
    total = (f"{len(got['cases'])} cases: {of['pass']} passed, {of['fail']} failed, {of['warn']} warnings, "
             f"{of['notAdvertised']} not advertised, {of['skipped']} skipped, {of['error']} errors")
    lines = [f"# {name}", "", f"{VERSIONS[name]}; conformance {got['version']}, `bench/peers/judge.sh {name}`.", "",
             f"{total}.", "", "What it means: [peers.md](../peers.md).", ""]
    if rows:
        lines += ["| verdict | level | case | what came |", "|---|---|---|---|"]
        lines += [f"| {case['verdict']} | {case['level']} | `{case['id']}` | {why(case)} |" for case in rows]
    with open(table, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{name}: {total}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
