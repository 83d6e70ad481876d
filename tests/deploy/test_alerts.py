"""The rules for Prometheus: their form, and what they say. That their metrics exist is for a test against the server."""

import re
import unittest
from pathlib import Path

import promql_parser
import yaml

FILE = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "alerts.yml"


class Rules(unittest.TestCase):
    def setUp(self):
        groups = yaml.safe_load(FILE.read_text())["groups"]
        self.rules = [rule for group in groups for rule in group["rules"]]

    def test_each_has_its_form(self):
        names = [rule["alert"] for rule in self.rules]
        self.assertEqual(len(set(names)), len(names))
        for rule in self.rules:
            with self.subTest(rule["alert"]):
                self.assertLessEqual(set(rule), {"alert", "expr", "for", "labels", "annotations"})
                promql_parser.parse(rule["expr"])
                self.assertRegex(rule.get("for", "0m"), r"^\d+[smh]$")
                self.assertIn(rule["labels"]["severity"], {"page", "ticket"})
                self.assertEqual(set(rule["annotations"]), {"summary", "description"})

    def test_a_mistake_is_found(self):
        for wrong in ("sum(rate(x[5m])", "rate(x[5 minutes])", "x{a=b}"):
            with self.subTest(wrong), self.assertRaises(ValueError):
                promql_parser.parse(wrong)

    def test_what_is_said_names_labels_that_are_left(self):
        for rule in self.rules:
            named = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"] + rule["annotations"]["description"])
            by = re.search(r"^\w+ by \(([^)]*)\)", rule["expr"])
            with self.subTest(rule["alert"]):
                if by:
                    self.assertLessEqual(set(named), {label.strip() for label in by.group(1).split(",")})
                elif rule["expr"].startswith(("sum(", "histogram_quantile(")):
                    self.assertEqual(named, [])


if __name__ == "__main__":
    unittest.main()
