"""The manifests of deploy/kubernetes: valid by Kubernetes' own schemas, and of one mind with each other and the server."""

import copy
import re
import tomllib
import unittest
from pathlib import Path

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
# The oldest release whose API has all that is used (a preStop hook that sleeps), and the newest that is known.
RELEASES = ["1.30", "1.37"]
# What the server takes beyond `drain_seconds` to store its last ends and to close connections.
AFTER_DRAIN_SECONDS = 10


def documents():
    """Every manifest with its file, but for kustomize's own."""
    for file in sorted(FOLDER.glob("*.yaml")):
        if file.name != "kustomization.yaml":
            for document in yaml.safe_load_all(file.read_text()):
                yield file.name, document


def of_kind(kind):
    found = [document for _, document in documents() if document["kind"] == kind]
    assert len(found) == 1, f"one {kind}"
    return found[0]


def check(document):
    for release in RELEASES:
        kubernetes_validate.validate(document, release, strict=True)


class Schemas(unittest.TestCase):
    def test_every_manifest_is_valid(self):
        kinds = set()
        for name, document in documents():
            with self.subTest(name):
                check(document)
            kinds.add(document["kind"])
        self.assertLessEqual(
            {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ConfigMap", "Secret"}, kinds
        )

    def test_a_mistake_is_found(self):
        def misspelt(deployment):
            container(deployment)["readinesProbe"] = container(deployment).pop("readinessProbe")

        def of_another_type(deployment):
            deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = "long"

        def without_what_it_needs(deployment):
            del deployment["spec"]["selector"]

        for spoil in (misspelt, of_another_type, without_what_it_needs):
            with self.subTest(spoil.__name__):
                deployment = copy.deepcopy(of_kind("Deployment"))
                spoil(deployment)
                with self.assertRaises(kubernetes_validate.ValidationError):
                    check(deployment)
        with self.assertRaises(kubernetes_validate.SchemaNotFoundError):
            check(of_kind("Deployment") | {"apiVersion": "extensions/v1beta1"})


def container(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]


class Together(unittest.TestCase):
    def setUp(self):
        self.deployment = of_kind("Deployment")
        self.pod = self.deployment["spec"]["template"]
        self.container = container(self.deployment)
        self.settings = tomllib.loads(of_kind("ConfigMap")["data"]["hitesh.toml"])

    def test_selectors_and_targets_name_the_deployment(self):
        labels = self.pod["metadata"]["labels"]
        selectors = [
            self.deployment["spec"]["selector"]["matchLabels"],
            of_kind("Service")["spec"]["selector"],
            of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
            *(spread["labelSelector"]["matchLabels"] for spread in self.pod["spec"]["topologySpreadConstraints"]),
        ]
        for selector in selectors:
            self.assertLessEqual(selector.items(), labels.items())
        target = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
        self.assertEqual(
            (target["apiVersion"], target["kind"], target["name"]),
            (self.deployment["apiVersion"], "Deployment", self.deployment["metadata"]["name"]),
        )
        self.assertNotIn("replicas", self.deployment["spec"], "it is the autoscaler's to say")

    def test_ports_are_the_served_one(self):
        (port,) = self.container["ports"]
        env = {variable["name"]: variable["value"] for variable in self.container["env"]}
        self.assertEqual(env["PORT"], str(port["containerPort"]))
        self.assertEqual(env["HOST"], "0.0.0.0")
        self.assertEqual(of_kind("Service")["spec"]["ports"][0]["targetPort"], port["name"])
        backend = of_kind("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        self.assertEqual(backend["name"], of_kind("Service")["metadata"]["name"])

    def test_probes_ask_what_the_server_has(self):
        routes = (ROOT / "bin/server/src/http/routes.rs").read_text()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            get = self.container[probe]["httpGet"]
            self.assertIn(f'"{get["path"]}"', routes)
            self.assertEqual(get["port"], self.container["ports"][0]["name"])

    def test_a_pod_has_time_to_end_its_answers(self):
        spec = self.pod["spec"]
        wait = self.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed = wait + self.settings["server"]["drain_seconds"] + AFTER_DRAIN_SECONDS
        self.assertGreaterEqual(spec["terminationGracePeriodSeconds"], needed)
        readiness = self.container["readinessProbe"]
        self.assertGreaterEqual(wait, readiness["periodSeconds"] * readiness["failureThreshold"])

    def test_what_is_mounted_and_read_is_there(self):
        names = {volume["name"] for volume in self.pod["spec"]["volumes"]}
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        self.assertEqual(set(mounts), names)
        config = self.container["args"][self.container["args"].index("--config") + 1]
        self.assertEqual(config, f'{mounts["settings"]}/hitesh.toml')
        secret = of_kind("Secret")
        self.assertEqual(self.container["envFrom"][0]["secretRef"]["name"], secret["metadata"]["name"])
        self.assertLessEqual({"REDIS_URL", "HITESH_AUTH__ADMIN_KEY"}, secret["stringData"].keys())
        self.assertEqual(self.pod["spec"]["serviceAccountName"], of_kind("ServiceAccount")["metadata"]["name"])

    def test_the_user_is_the_images(self):
        dockerfile = (ROOT / "docker/Dockerfile").read_text()
        user = re.search(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
        security = self.pod["spec"]["securityContext"]
        self.assertEqual((str(security["runAsUser"]), str(security["runAsGroup"])), user.groups())

    def test_kustomize_names_every_file_that_is_no_example(self):
        named = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
        files = {file.name for file in FOLDER.glob("*.yaml") if ".example." not in file.name}
        self.assertEqual(set(named) | {"kustomization.yaml"}, files)
        self.assertEqual(len(named), len(set(named)))


if __name__ == "__main__":
    unittest.main()
