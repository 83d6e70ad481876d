"""docker/compose.yaml and the balancer's settings are of one mind with each other and the server."""

import re
import tomllib
import unittest
from pathlib import Path

import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"


class Compose(unittest.TestCase):
    def setUp(self):
        self.compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
        self.services = self.compose["services"]
        self.nginx = (DOCKER / "nginx.conf").read_text()

    def test_the_balancer_knows_every_instance_by_its_port(self):
        upstream = dict(re.findall(r"^\s*server (\w+):(\d+)", self.nginx, re.MULTILINE))
        instances = {name for name, service in self.services.items() if "REDIS_URL" in service.get("environment", {})}
        self.assertEqual(set(upstream), instances)
        self.assertGreaterEqual(len(instances), 2)
        for name, port in upstream.items():
            self.assertEqual(port, str(self.services[name]["environment"]["PORT"]))
        self.assertEqual(set(self.services["balancer"]["depends_on"]), instances)
        listens = re.search(r"listen (\d+);", self.nginx).group(1)
        self.assertTrue(self.services["balancer"]["ports"][0].endswith(f":{listens}"))

    def test_redis_keeps_what_it_is_given(self):
        redis = self.services["redis"]
        command = " ".join(redis["command"])
        self.assertIn("--appendonly yes", command)
        self.assertIn("--maxmemory-policy noeviction", command)
        volume = redis["volumes"][0].split(":")[0]
        self.assertIn(volume, self.compose["volumes"])
        for service in self.services.values():
            if "REDIS_URL" in service.get("environment", {}):
                self.assertEqual(service["environment"]["REDIS_URL"], "redis://redis:6379")
                self.assertEqual(service["depends_on"]["redis"]["condition"], "service_healthy")
                self.assertIn("redis", service["build"]["args"]["FEATURES"])

    def test_answers_have_time_to_end(self):
        defaults = tomllib.loads((DOCKER.parent / "bin/server/default.toml").read_text())
        needed = defaults["server"]["drain_seconds"] + 10
        for name, service in self.services.items():
            if "build" in service:
                self.assertGreaterEqual(int(service["stop_grace_period"].removesuffix("s")), needed, name)
        timeout = int(re.search(r"proxy_read_timeout (\d+)s;", self.nginx).group(1))
        self.assertGreater(timeout, 300, "a local model may take five minutes")
        self.assertIn("proxy_buffering off;", self.nginx)


if __name__ == "__main__":
    unittest.main()
