"""The command line: `clv init | check | train | forecast | refresh | report | ltv | ...`.

Progress goes to stderr and results to stdout. Exit code 0: done; 1: the data or a forecast
failed a check; 2: wrong usage or configuration.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from clvmodels.core.errors import ClvError, ConfigError
from pipelines import files, logs
from pipelines.config import load as configuration
from pipelines.console import Outcome, Progress, complain, say

logger = logging.getLogger(__package__)

app = typer.Typer(
    help="Customer lifetime value: from a transaction log to forecasts and a backtest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models = typer.Typer(help="Saved model versions.", no_args_is_help=True)
app.add_typer(models, name="models")

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="TOML file of the business.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="Last day known, YYYY-MM-DD; default: last day of data."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def _verbose(count: int) -> int:
    if count:
        logs.to_stderr(logging.INFO if count == 1 else logging.DEBUG)
    return count


def _log_file(path: Path | None) -> Path | None:
    if path is not None:
        logs.to_file(path)
    return path


VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        callback=_verbose,
        is_eager=True,
        help="Say on stderr what is done; -vv: everything.",
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        callback=_log_file,
        is_eager=True,
        help="Append every record of the run to a file.",
    ),
]


def _number(meaning: str) -> Any:
    return typer.Option(metavar="NUMBER", help=meaning)


class CycleName(StrEnum):
    """What ARPU, churn and lifespan are of."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@app.command()
def init(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="File, folder or pattern with the log.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Configuration to write.")
    ] = Path("shop.toml"),
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Kind of the source; default: by the file's name."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Table of a database: schema.table or table.")
    ] = None,
    uri_env: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="Environment variable with the database's URI."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Look at a file or table and write a first configuration, with what it is unsure of."""
    from pipelines.jobs import init as first

    outcome = first.init_job(
        file, output, Progress(quiet), kind=kind, table=table, uri_env=uri_env, force=force
    )
    _tell(outcome, as_json)


@app.command()
def train(
    config: ConfigOption,
    as_of: AsOfOption = None,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Save without putting the version into use.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Fit the models, backtest them, forecast, and save models and report."""
    from pipelines.jobs import train as training

    outcome = training.train_job(
        configuration.load(config), _date(as_of), Progress(quiet), promote=not challenger
    )
    _tell(outcome, as_json)


@app.command()
def backtest(
    config: ConfigOption,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Forecast from past origins, compare with what happened, and write the report."""
    from pipelines.jobs import train as training

    _tell(training.backtest_job(configuration.load(config), _date(as_of), Progress(quiet)), as_json)


@app.command()
def forecast(
    config: ConfigOption,
    as_of: AsOfOption = None,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Saved version; default: the champion.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Score every customer with the model in use; write customers.parquet, cohorts.parquet."""
    from pipelines.jobs import forecast as forecasting

    outcome = forecasting.forecast_job(
        configuration.load(config), _date(as_of), Progress(quiet), version
    )
    _tell(outcome, as_json)


@app.command()
def audiences(
    config: ConfigOption,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Of the forecast; default: the latest delivered."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Write whom to talk to and why, as CSV and Parquet, from the forecast that was delivered."""
    from pipelines.jobs.business import audiences as activating

    _tell(
        activating.audiences_job(configuration.load(config), _date(as_of), Progress(quiet)),
        as_json,
    )


@app.command()
def refresh(
    config: ConfigOption,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """The monthly run: check the data, score, compare the last forecast with actuals, report."""
    from pipelines.jobs import refresh as refreshing

    _tell(
        refreshing.refresh_job(configuration.load(config), _date(as_of), Progress(quiet)), as_json
    )


@app.command()
def report(
    config: ConfigOption,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Write the page, workbook and figures again from the saved backtest.json."""
    from pipelines.jobs import report as reporting

    _tell(reporting.report_job(configuration.load(config), _date(as_of), Progress(quiet)), as_json)


@app.command()
def check(
    config: ConfigOption,
    as_of: AsOfOption = None,
    show: Annotated[
        int, typer.Option(metavar="ROWS", min=0, max=1000, help="Show how the first rows are read.")
    ] = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Read the source, account for every row, and fail if a limit is broken."""
    from pipelines.jobs import housekeeping

    outcome = housekeeping.check_job(
        configuration.load(config), _date(as_of), Progress(quiet), show
    )
    _tell(outcome, as_json)
    if outcome.facts["broken_limits"]:
        raise typer.Exit(1)


@app.command()
def ltv(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="TOML file; or plain numbers, below."),
    ] = None,
    as_of: AsOfOption = None,
    cycle: Annotated[
        CycleName | None,
        typer.Option(help="Of ARPU, churn and lifespan; default: the configuration's, or month."),
    ] = None,
    arpu: Annotated[float | None, _number("Revenue per customer and cycle.")] = None,
    value: Annotated[float | None, _number("Or value of a purchase, with --frequency.")] = None,
    margin: Annotated[float | None, _number("Gross margin, share of revenue: 0.6.")] = None,
    churn: Annotated[float | None, _number("Share of customers lost a cycle: 0.05.")] = None,
    lifespan: Annotated[float | None, _number("Or cycles that a customer stays.")] = None,
    frequency: Annotated[float | None, _number("Purchases per customer and cycle.")] = None,
    cost_to_serve: Annotated[float | None, _number("Cost of serving a purchase.")] = None,
    first_value: Annotated[float | None, _number("Value of the first purchase.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """LTV and CLV by hand: of a log, step by step, or of plain numbers."""
    from pipelines.finance.by_hand import Given
    from pipelines.jobs.business.ltv import ltv_job

    given = Given(arpu, value, margin, churn, lifespan, frequency, cost_to_serve, first_value)
    business = None if config is None else configuration.load(config)
    _tell(
        ltv_job(
            business, _date(as_of), Progress(quiet), given, None if cycle is None else cycle.value
        ),
        as_json,
    )


@app.command()
def erase(
    config: ConfigOption,
    customer: Annotated[
        list[str], typer.Option(metavar="ID", help="Customer to remove; may be repeated.")
    ],
    as_json: JsonOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Remove a person from every saved output, and say from where."""
    from pipelines.jobs import housekeeping

    _tell(housekeeping.erase_job(configuration.load(config), customer), as_json)


@app.command()
def experiment(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file of the experiment.")],
    config: ConfigOption,
    as_of: AsOfOption = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Before the start: how many customers and days it needs.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Read a controlled experiment: effects with intervals, and an entry in the log of tests."""
    from pipelines.config.experiment import load_experiment
    from pipelines.jobs.business import experiment as experiments

    job = experiments.plan_job if plan else experiments.experiment_job
    business = configuration.load(config)
    _tell(job(business, load_experiment(file), _date(as_of), Progress(quiet)), as_json)


@models.command("list")
def list_models(
    config: ConfigOption,
    as_json: JsonOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """List the saved versions; the one in use is marked."""
    from pipelines.jobs import housekeeping

    _tell(housekeeping.list_models(configuration.load(config)), as_json)


@models.command("show")
def show_model(
    config: ConfigOption,
    version: Annotated[str | None, typer.Argument(help="Default: the champion.")] = None,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Verify a version and print its card."""
    from pipelines.jobs.folders import models_folder
    from pipelines.registry import store as registry

    home = models_folder(configuration.load(config))
    saved = registry.verify(home, version or registry.champion(home))
    say(saved.card)


@models.command("promote")
def promote_model(
    config: ConfigOption,
    version: str,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Verify a version and put it into use."""
    from pipelines.jobs.folders import models_folder
    from pipelines.registry import store as registry

    saved = registry.make_champion(models_folder(configuration.load(config)), version)
    say(f"in use: {saved.folder}")


@models.command("accept")
def accept_model(
    config: ConfigOption,
    version: str,
    as_json: JsonOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Record a version that has no record, as it is now: an earlier release saved it, or you did.

    Versions are recorded when they are saved, and refused where they are not what was recorded.
    Accept only what you trust: its files are compared with its own manifest, and nothing else
    vouches for them.
    """
    from pipelines.jobs import housekeeping

    _tell(housekeeping.accept_job(configuration.load(config), version), as_json)


@models.command("migrate")
def migrate_model(
    config: ConfigOption,
    version: Annotated[str | None, typer.Argument(help="Default: the champion.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
) -> None:
    """Save a version of an earlier release anew, its churn classifier as numbers.

    Earlier releases kept the classifier as a pickle (churn.joblib), and READING A PICKLE RUNS THE
    CODE IN IT: migrate only versions that you or yours have saved. The digests of all files are
    checked first. The old version stays; the new one is used in its place where it was in use, and
    keeps all of its categories: train again to drop those that fewer than ten customers share.
    """
    from pipelines.jobs import housekeeping

    _tell(housekeeping.migrate_job(configuration.load(config), version, Progress(quiet)), as_json)


def _date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--as-of must be a date such as 1998-06-30; found '{text}'") from None
    if not configuration.EARLIEST <= day <= configuration.LATEST:
        raise ConfigError(
            f"--as-of must be a date from {configuration.EARLIEST} to {configuration.LATEST}; "
            f"found '{text}'"
        )
    return day


def _tell(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        typer.echo(files.to_json(outcome.facts), nl=False)  # ASCII throughout
    else:
        say("\n".join(outcome.lines))
    if outcome.error is not None:
        raise outcome.error


def main() -> None:
    """Run the command line; every expected error is one message on stderr and an exit code."""
    try:
        try:
            app()
        except BaseException as error:
            _record(error)
            raise
        finally:
            logs.stop()
    except (ClvError, OSError) as error:  # the latter: a full disk, a folder without permission
        complain(str(error))
        sys.exit(error.exit_code if isinstance(error, ClvError) else 1)


def _record(error: BaseException) -> None:
    """How the command ended, for the log."""
    if not logs.is_kept():
        return
    if isinstance(error, SystemExit):  # how Typer ends a command that went well, too
        logger.info("exit code %s", error.code or 0)
    else:
        logger.error("failed", exc_info=error)


if __name__ == "__main__":
    main()
