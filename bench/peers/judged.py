"""Writes a compact table of the reports of `conformance server` and `conformance explore`.

judged.py NAME SERVER.json EXPLORE.json TABLE.md
"""
import json
import re
import sys

VERSIONS = {
    "better-auth": "@better-auth/scim 1.7.5 (npm) in better-auth 1.7.5 with its adapter in memory",
    "canaille": "canaille 0.3.6 (PyPI) with SQLite and scim2-models 0.9.0, under waitress 3.0.2",
    "django-scim2": "django-scim2 0.23.0 (PyPI) on Django 5.2.19 with SQLite, under waitress 3.0.2",
    "django-scim2-server": "django-scim2-server 1.1.0 (PyPI) on Django 5.2.19 with SQLite, under waitress 3.0.2",
    "scim2-server": "scim2-server 0.8.3 (PyPI), by its own command",
    "scimgateway": "scimgateway 6.1.18 (npm) with plugin-loki in memory, under bun 1.4.5",
    "scimmy-routers": "scimmy-routers 1.3.2 and scimmy 1.3.5 (npm) on express 5",
    "scimmy-routers-express4": "scimmy-routers 1.3.2 and scimmy 1.3.5 (npm) on express 4",
    "scim-server": "the crate scim-server 0.5.3 behind the host in `bench/peers/scim-server/src/bin`",
}
# What differs from run to run.
CHANGING = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b", "ID"),
    (r"conformance-[0-9a-z]+-", "conformance-"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)", "TIME"),
    (r"mixed case in '[^']*'", "mixed case in 'VERSION'"),
    (r"127\.0\.0\.1:\d+", "HOST"),
]
ORDER = ["error", "fail", "warn", "skipped"]


def why(case):
    text = " ".join(case["because"].split())
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    text = text if len(text) <= 170 else text[:169] + "…"
    return "`` " + text.replace("|", "\\|") + " ``"


def totals(got):
    of = got["summary"]
    return (f"{len(got['cases'])} cases: {of['pass']} passed, {of['fail']} failed, {of['warn']} warnings, "
            f"{of['notAdvertised']} not advertised, {of['skipped']} skipped, {of['error']} errors")


def table(got):
    rows = [case for case in got["cases"] if case["verdict"] in ORDER]
    rows.sort(key=lambda case: (ORDER.index(case["verdict"]), case["id"]))
    if not rows:
        return []
    lines = [f"| {case['verdict']} | {case['level']} | `{case['id']}` | {why(case)} |" for case in rows]
    return ["", "| verdict | level | case | what came |", "|---|---|---|---|", *lines]


def main(name, server, explore, out):
    def read(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    suite, explored = read(server), read(explore)
    lines = [f"# {name}", "", f"{VERSIONS[name]}; conformance {suite['version']}, `bench/peers/judge.sh {name}`.", "",
             "What it means: [peers.md](../peers.md).", "", "## The suite", "", f"{totals(suite)}.", *table(suite), "",
             "## Random sequences", "", f"{totals(explored)}.", *table(explored)]
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{name}: suite: {totals(suite)}\n{name}: explore: {totals(explored)}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
