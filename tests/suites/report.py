"""Judges the outcomes on the two brokers against each other and prints what came of it.

A test fails the run when it passes on RabbitMQ, does not pass on Leveret, and is not on the list in
later.toml. The list may only shrink: an entry whose tests pass, or that names none, fails too.
"""

import re
import tomllib

import places

LATER = places.HERE / "later.toml"
RACES = places.HERE / "races.toml"


class Entry:
    """One entry of a list: tests of a suite (`*` is anything) and what is said of them."""

    def __init__(self, fields):
        self.suite = fields["suite"]
        self.test = fields["test"]
        self.fields = fields
        parts = map(re.escape, self.test.split("*"))
        self.pattern = re.compile(".*".join(parts))

    def covers(self, suite, test):
        return suite == self.suite and self.pattern.fullmatch(test) is not None


def read_entries(path, table):
    return [Entry(fields) for fields in tomllib.loads(path.read_text()).get(table, [])]


class Report:
    def __init__(self, broker, peer, chosen):
        self.broker = broker
        self.peer = peer
        self.chosen = chosen
        self.entries = read_entries(LATER, "later")
        self.passed = self.failed = self.left_out = 0

    def print(self, could_not_run):
        """Prints everything and gives the number of failures."""
        for suite in self.chosen:
            self.print_suite(suite)
        self.print_stale_entries()
        for side in filter(None, [self.broker, self.peer]):
            for error in side.errors:
                self.fail(f"{side.name} lost a part of the suites: {error}")
        for what in could_not_run:
            print(f"could not run: {what}")
        print(f"{self.passed} passed, {self.failed} failed, {self.left_out} skipped")
        return self.failed

    def fail(self, text):
        self.failed += 1
        print(f"  FAILED {text}")

    def print_suite(self, suite):
        ours = self.broker.outcomes.get(suite.name, {})
        theirs = self.peer.outcomes.get(suite.name, {}) if self.peer else {}
        passed = [test for test in ours if ours[test].outcome == "passed"]
        passed_theirs = [test for test in theirs if theirs[test].outcome == "passed"]
        total = len(ours.keys() | theirs.keys())
        self.passed += len(passed)
        print(f"{suite.name} {suite.version()}: passed {len(passed)} / "
              f"passed on RabbitMQ {len(passed_theirs)} (of {total})")
        if not total:
            self.fail(f"{suite.name}: no test was run")
        # The tests that the peer alone has were lost here, and that is a failure of its own.
        for test in sorted(ours.keys() | theirs.keys()):
            if test not in passed:
                self.judge(suite, test, ours.get(test), theirs.get(test))
        for side in filter(None, [self.broker, self.peer]):
            for test, outcome in sorted(side.tried_again.get(suite.name, {}).items()):
                if outcome == "passed":
                    print(f"  flaky on {side.name}, passed when tried again alone: {test}")

    def judge(self, suite, test, ours, theirs):
        """Says why a test that did not pass is left out, or fails it."""
        if ours is None:
            self.fail(f"{test}: was not run")
        elif theirs is None and self.peer is None:
            self.leave_out(test, f"not compared: {ours.reason}")
        elif theirs is None or theirs.outcome == "passed":
            entry = next((e for e in self.entries if e.covers(suite.name, test)), None)
            if entry:
                later = entry.fields
                self.leave_out(test, f"needs issue {later['issue']}, {later['needs']}")
            else:
                self.fail(f"{test}: {ours.outcome}, {ours.reason}")
        elif theirs.outcome == "skipped" and ours.outcome == "skipped":
            self.leave_out(test, f"skipped by the suite itself: {first_line(theirs.reason)}")
        else:
            self.leave_out(test, f"{theirs.outcome} on RabbitMQ too: {first_line(theirs.reason)}")

    def leave_out(self, test, why):
        self.left_out += 1
        print(f"  left out {test}: {why}")

    def print_stale_entries(self):
        """With only some suites chosen, the entries of the others are not looked at."""
        for entry in self.entries:
            if entry.suite not in [suite.name for suite in self.chosen]:
                continue
            outcomes = self.broker.outcomes.get(entry.suite, {})
            covered = [o for test, o in outcomes.items() if entry.covers(entry.suite, test)]
            if all(outcome.outcome == "passed" for outcome in covered):
                what = "passes" if covered else "is no test of it"
                self.fail(f"later.toml: {entry.suite} {entry.test} {what}; take it off the list")


def first_line(text):
    return text.strip().split("\n")[0][:120]
