//! The load balancer of `docker/compose.yaml`, a real nginx with those settings, before two instances.
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
};

use hitesh_tests_api::{Answer, Client, Gate, RedisServer, Script, Server, Upstream, eventually};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{builder, two_instances};

/// An nginx that ends with this value.
struct Balancer {
    client: Client,
    _process: Child,
    _folder: TempDir,
}

impl Balancer {
    /// With the settings of the containers, but for names, ports and folders.
    async fn before(instances: [&Server; 2]) -> Self {
        let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docker/nginx.conf");
        let settings = std::fs::read_to_string(settings).unwrap();
        let folder = TempDir::with_prefix("hitesh-nginx-").unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let here = settings
            .replace("one:8000", instances[0].address())
            .replace("two:8000", instances[1].address())
            .replace("listen 8000;", &format!("listen 127.0.0.1:{port};"));
        assert_eq!(here.matches("127.0.0.1:").count(), 3, "{here}");
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = temporary.iter().map(|name| format!("{name}_temp_path {name};\n")).collect();
        let here = here.replace("http {", &format!("http {{\naccess_log off;\n{temporary}"));
        std::fs::write(folder.path().join("nginx.conf"), here).unwrap();
        // Where Debian has it, which not everybody's PATH has.
        let nginx = Some("/usr/sbin/nginx").filter(|path| Path::new(path).exists()).unwrap_or("nginx");
        let process = Command::new(nginx)
            .args(["-p", folder.path().to_str().unwrap(), "-e", "errors", "-c", "nginx.conf"])
            .args(["-g", "daemon off; master_process off; pid pid;"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("this test needs nginx (Debian: apt-get install nginx-light)");
        let client = Client::new(&format!("http://127.0.0.1:{port}"));
        eventually("nginx to pass requests on", || async {
            let reply = client.try_request("GET", "/livez", &[], "").await;
            reply.is_ok_and(|reply| reply.status() == 200).then_some(())
        })
        .await;
        Self { client, _process: process, _folder: folder }
    }
}

async fn gated(gate: &Gate) -> Upstream {
    let (gate, answer) = (gate.clone(), Answer::about("balancer"));
    Upstream::start(move |request| match request.question().contains("Ruko") {
        true => Script::gated(&answer, request.format(), 30, &gate),
        false => Script::answer(&answer, request.format()),
    })
    .await
}

#[tokio::test]
async fn pieces_pass_one_by_one_and_a_reader_comes_back_when_its_instance_has_died() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated(&gate).await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let balancer = Balancer::before([&a, &b]).await;
    let mut stream = balancer.client.deltas("s", "Ruko").await;
    let first = stream.next().await.unwrap();
    let turn = first.json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    // Pieces come while the model has not ended: nobody on the way keeps them.
    let mut seen = 0;
    let mut last = String::new();
    while seen < 10 {
        let frame = stream.next().await.expect("the turn runs");
        seen += usize::from(frame.name() == "delta");
        last = frame.id.clone().unwrap_or(last);
    }
    let held_by_a = a.client().get("/metrics").await.text().contains("\nhitesh_turns_in_flight 1\n");
    let (dying, living) = if held_by_a { (a, b) } else { (b, a) };
    dying.kill_now();
    drop(stream);
    eventually("another instance to have ended the turn", || async {
        (balancer.client.turn(&turn).await["status"] == "incomplete").then_some(())
    })
    .await;
    let rest = balancer.client.events(&turn, Some(&last)).await.rest().await;
    assert_eq!(rest.last().unwrap().json()["step"], "error", "it ends truthfully");
    // And questions go to the one that lives.
    for number in 0..6 {
        balancer.client.ask("s2", &format!("Sawaal {number}?")).await;
    }
    assert_eq!(living.client().history("s2").await.len(), 12);
    gate.open();
}

#[tokio::test]
async fn an_instance_that_is_stopped_in_order_costs_no_answer() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated(&gate).await);
    let a = builder(&redis, &upstream).start().await;
    let b = builder(&redis, &upstream).start().await;
    let balancer = Balancer::before([&a, &b]).await;
    let mut open = Vec::new();
    for number in 0..4 {
        let mut stream = balancer.client.deltas(&format!("s{number}"), &format!("Ruko {number}")).await;
        stream.next().await.unwrap();
        open.push(stream);
    }
    gate.reached(4).await;
    a.terminate();
    gate.open();
    for mut stream in open {
        let rest = stream.rest().await;
        assert_eq!(rest.last().unwrap().json()["step"], "output", "what ran came to its end");
    }
    a.ended().await;
    for number in 0..6 {
        let reply = balancer.client.send(&json!({"content": format!("Sawaal {number}?"), "session_id": "after"})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

#[tokio::test]
async fn the_callers_address_comes_through_and_no_limit_is_in_the_way() {
    let upstream = Upstream::numbered().await;
    let redis = RedisServer::start().await;
    let limited = "[limits]\nrequests_per_minute = 1\nburst = 3\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let a = builder(&redis, &upstream).settings(limited).start().await;
    let b = builder(&redis, &upstream).settings(limited).start().await;
    let balancer = Balancer::before([&a, &b]).await;
    let from = |address: &str| balancer.client.with_header("x-forwarded-for", address);
    let mut refused = 0;
    for _ in 0..8 {
        refused += usize::from(from("192.0.2.1").get("/api/chat/history?session_id=x").await.status == 429);
    }
    assert_eq!(refused, 5, "the instances together let three of one caller through");
    assert_eq!(
        from("192.0.2.2").get("/api/chat/history?session_id=x").await.status,
        200,
        "another caller is another one"
    );
    let longest = json!({"content": "अ".repeat(2000), "session_id": "s"});
    assert_eq!(from("192.0.2.3").send(&longest).await.status, 200);
    let too_large = "x".repeat(70_000);
    let reply =
        from("192.0.2.4").request("POST", "/api/chat/send", &[("content-type", "application/json")], too_large).await;
    reply.expect_error(413, "body_too_large");
}
