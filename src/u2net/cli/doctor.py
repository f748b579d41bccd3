"""u2net doctor: what u2net can use on this machine, and what fixes what is wrong."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from u2net.cli.progress import step_line


@click.command("doctor", epilog="Example: u2net doctor --json > doctor.json")
@click.option("--json", "as_json", is_flag=True, help="All of it as one JSON object; docs/doctor.md explains its keys.")
def command(as_json: bool) -> int:
    """Show what u2net can use here, and for each problem the command that mends it.

    Each engine is run on each device that it finds, and where weights are here a picture is timed; that takes some
    seconds. Nothing is fetched.

    Exit codes: 0 cutouts can be made, 1 they cannot before something is mended.
    """
    from u2net.diagnostics.advice import findings
    from u2net.diagnostics.doctor import examine
    from u2net.reports.doctor import report

    with step_line() as on_step:
        seen = examine(on_step)
    found = findings(seen)
    broken = any(finding.broken for finding in found)
    if as_json:
        rows = [{"broken": each.broken, "problem": each.problem, "mend": each.fix} for each in found]
        click.echo(json.dumps({"ok": not broken, **asdict(seen), "findings": rows}))
    else:
        click.echo("\n".join(report(seen, found)))
    return 1 if broken else 0
