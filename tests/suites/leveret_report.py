"""A pytest plugin that reports each test as it ends, takes a share of them, and bounds their time.

It is loaded from outside with `-p leveret_report`, so the suites' own files stay as published. Each
line of the report is a JSON object; a test that begins and never ends shows which one hung.

LEVERET_REPORT        the file to append to
LEVERET_SHARE         "1/4": the second of four shares that take about the same time
LEVERET_ONLY          a file with the ids of the tests to run, one per line, and no others
LEVERET_TEST_SECONDS  how long one test may take; a slow one twice what it is said to take
LEVERET_SLOW          which tests are slow, as JSON: a part of the id, and about how many seconds
"""

import heapq
import json
import os
import signal

import pytest

SECONDS = float(os.environ.get("LEVERET_TEST_SECONDS", "60"))
SLOW = json.loads(os.environ.get("LEVERET_SLOW", "{}"))
# About what a test takes that is not said to be slow.
USUAL_SECONDS = 2.0


class Reporter:
    """Gathers the phases and subtests of the running test into one outcome."""

    def __init__(self, path):
        self.file = open(path, "a", buffering=1)

    def write(self, **line):
        self.file.write(json.dumps(line) + "\n")

    def begin(self, test):
        self.outcome, self.reason, self.seconds = "passed", "", 0.0
        self.write(begins=test)

    def add(self, report):
        if not is_subtest(report):
            self.seconds += report.duration
        if report.failed:
            self.outcome, self.reason = "failed", last_line(report.longreprtext)
        elif report.skipped and self.outcome == "passed":
            expected = getattr(report, "wasxfail", None)
            is_expected = expected is not None
            reason = f"expected to fail: {expected}" if is_expected else skip_reason(report)
            # A skipped subtest leaves the test as it is.
            if not is_subtest(report):
                self.outcome, self.reason = "skipped", reason

    def end(self, test):
        seconds = round(self.seconds, 2)
        self.write(ends=test, outcome=self.outcome, reason=self.reason[:300], seconds=seconds)


def is_subtest(report):
    return type(report).__name__ == "SubtestReport"


def last_line(text):
    lines = (line.removeprefix("E ").strip() for line in reversed(text.splitlines()))
    return next(filter(None, lines), "")


def skip_reason(report):
    place = report.longrepr
    return place[2].removeprefix("Skipped: ") if isinstance(place, tuple) else str(place)


def pytest_configure(config):
    config.leveret_reporter = Reporter(os.environ["LEVERET_REPORT"])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    wanted = items
    if "LEVERET_ONLY" in os.environ:
        with open(os.environ["LEVERET_ONLY"]) as file:
            names = set(file.read().split("\n"))
        wanted = [item for item in items if report_name(item.nodeid) in names]
    if "LEVERET_SHARE" in os.environ:
        share, shares = map(int, os.environ["LEVERET_SHARE"].split("/"))
        wanted = shared_out(wanted, shares)[share]
    chosen = set(map(id, wanted))
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in chosen])
    items[:] = wanted
    config.leveret_reporter.write(collected=[report_name(item.nodeid) for item in items])


def expected_seconds(item):
    return next((SLOW[part] for part in SLOW if part in item.nodeid), USUAL_SECONDS)


def shared_out(items, shares):
    """Each test, the slowest first, goes to the share that has least; a share keeps the order."""
    loads = [(0.0, share) for share in range(shares)]
    share_of = {}
    for item in sorted(items, key=expected_seconds, reverse=True):
        load, share = heapq.heappop(loads)
        share_of[id(item)] = share
        heapq.heappush(loads, (load + expected_seconds(item), share))
    return [[item for item in items if share_of[id(item)] == share] for share in range(shares)]


def report_name(nodeid):
    """The id without the folder that all of them have, on one line."""
    return nodeid.removeprefix("t/integration/").replace("\n", "\\n")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    reporter = item.config.leveret_reporter
    reporter.begin(report_name(item.nodeid))
    result = yield
    reporter.end(report_name(item.nodeid))
    return result


def pytest_runtest_logreport(report):
    # Reports come without their item; only one test runs at a time.
    if REPORTERS:
        REPORTERS[-1].add(report)


REPORTERS = []


def pytest_sessionstart(session):
    REPORTERS.append(session.config.leveret_reporter)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """The alarm is ours because the suites' own marks would allow a hung test five minutes."""

    limit = max(SECONDS, 2 * expected_seconds(item))

    def too_long(_signal, _frame):
        pytest.fail(f"took longer than {limit:g} s")

    before = signal.signal(signal.SIGALRM, too_long)
    # Again and again: a subtest that is failed so does not end its test.
    signal.setitimer(signal.ITIMER_REAL, limit, limit / 10)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
