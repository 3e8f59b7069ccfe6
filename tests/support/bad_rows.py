"""Files whose rows cannot be used."""

from __future__ import annotations

from bad_cases import COLUMNS, HEADER, Case, csv

ROWS_OF_FILES = [
    Case(
        "a header twice",
        ("that cannot be read", "row 41 'day'"),
        1,
        log=csv(HEADER),
        more="[governance]\nmax_bad_row_share = 0.01",
    ),
    Case(
        "amounts in words", ("not finite", "row 41 'ten'"), 1, log=csv(*["001,2022-01-01,ten"] * 9)
    ),
    Case(
        "amounts with a decimal comma",
        ("row 1 '5,50'", "can be read with source.decimal = ','"),
        1,
        log=csv(*['001,2022-01-01,"5,50"'] * 9, good=0),
    ),
    Case("infinite amounts", "'inf'", 1, log=csv(*["001,2022-01-01,inf"] * 9)),
    Case(
        "no amounts",
        "no purchase is left of the 9 rows",
        1,
        log=csv(*["001,2022-01-01,"] * 9, good=0),
        more="[governance]\nmax_bad_row_share = 1.0",
    ),
    Case(
        "years of two digits",
        ("day and month cannot be told apart", "'1/2/22'", "Set columns.date_format to 'dmy'"),
        1,
        log=csv(*["001,1/2/22,5"] * 9, good=0),
    ),
    Case("days that do not exist", "'2022-02-30'", 1, log=csv(*["001,2022-02-30,5"] * 9)),
    Case(
        "a format that does not match",
        "'2022-01-01'",
        1,
        log=csv(),
        columns=COLUMNS + 'date_format = "%d/%m/%Y"',
    ),
    Case("dates from 1900", "'1900-01-01'", 1, log=csv(*["001,1900-01-01,5"] * 9)),
    Case("dates from 2999", "'2999-01-01'", 1, log=csv(*["001,2999-01-01,5"] * 9)),
    Case(
        "commas without quotes",
        ("wrong number of fields", "line 42 '001,2022-01-01,5,50'"),
        1,
        log=csv(*["001,2022-01-01,5,50"] * 9),
    ),
    Case("too few fields", "wrong number of fields", 1, log=csv(*["001,2022-01-01"] * 9)),
    Case(
        "a quote left open",
        "open quotes",
        1,
        log=csv('"001,2022-01-01,5'),
        more="[governance]\nmax_bad_row_share = 0.0",
    ),
    Case(
        "no ids at all",
        ("9 of 9 rows without a customer id (100.0%), limit 30.0%"),
        1,
        log=csv(*[",2022-01-01,5"] * 9, good=0),
    ),
    Case(
        "no ids and no limit",
        "no purchase is left of the 9 rows",
        1,
        log=csv(*["NULL,2022-01-01,5"] * 9, good=0),
        more="[governance]\nmax_missing_id_share = 1.0",
    ),
    Case(
        "only refunds",
        ("no purchase is left", "refunds before the customer's first purchase"),
        1,
        log=csv(*["001,2022-01-01,-5"] * 9, good=0),
    ),
    Case(
        "only zeros, dropped",
        "no purchase is left",
        1,
        log=csv(*["1,2022-01-01,0"] * 9, good=0),
        more='[governance]\nzero_value = "drop"',
    ),
    Case(
        "refunds, rejected",
        "1 rows with a negative amount, and governance.refunds is 'reject'",
        1,
        log=csv("001,2022-01-01,-5"),
        more='[governance]\nrefunds = "reject"',
    ),
    Case(
        "as-of before the data",
        "later than the as-of date",
        1,
        log=csv(),
        arguments=("--as-of", "2020-01-01"),
    ),
    Case(
        "stale data",
        "days before the as-of date, limit 30 (governance.max_stale_days)",
        1,
        log=csv(),
        arguments=("--as-of", "2024-01-01"),
        more="[governance]\nmax_stale_days = 30",
    ),
    Case(
        "one purchase and nothing else",
        ("no customer has been observed for a day", "a log of several months is needed"),
        1,
        log=csv("001,2022-01-05,5", good=0),
    ),
    Case(
        "everybody on one day",
        ("no customer has been observed for a day", "the log begins on 2022-01-05"),
        1,
        log=csv(*(f"{n:03d},2022-01-05,{n + 1}" for n in range(50)), good=0),
    ),
    Case(
        "nobody who came back",
        "no customer bought on a second day from 2022-01-01 to 2022-03-01",
        1,
        log=csv(*(f"{n:03d},2022-01-{n + 1:02d},5" for n in range(30)), good=0),
        arguments=("--as-of", "2022-03-01"),
    ),
    Case(
        "nobody consented",
        "the customer did not consent",
        1,
        log=csv(),
        others={"consent.csv": b"customer_id,timestamp,granted\n001,2022-01-01,no\n"},
        more='[governance]\nconsent = "exclude"\n[consent]\npath = "consent.csv"',
    ),
    Case(
        "consent without a column",
        "needs the column granted",
        1,
        log=csv(),
        others={"consent.csv": b"customer_id,timestamp\n001,2022-01-01\n"},
        more='[governance]\nconsent = "exclude"\n[consent]\npath = "consent.csv"',
    ),
]
