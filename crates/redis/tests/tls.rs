//! Servers that speak TLS, and users with few rights.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::time::Duration;

use hitesh_redis::{
    Access, Address, Certificates, CertificatesError, Link, LinkSettings, Servers, cmd,
    testing::{RedisCluster, RedisServer, SentinelSet, ServerOptions, TestCertificates},
};
use tokio::runtime::Handle;

fn link_to(servers: impl Into<Servers>) -> Link {
    Link::new(LinkSettings::new(servers, Duration::from_secs(2)), Handle::current()).unwrap()
}

async fn why_not(address: Address) -> String {
    link_to(address).ping().await.unwrap_err().to_string()
}

fn by_tls(server: &RedisServer, tls: Certificates) -> Address {
    Address::new("localhost", server.tls_port(), Access { tls: Some(tls), ..Access::default() })
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_spoken_to() {
    let certificates = TestCertificates::make();
    let server = RedisServer::start_with(&ServerOptions { tls: Some(&certificates), ..ServerOptions::default() });
    let link = link_to(by_tls(&server, certificates.trusted()));
    link.command::<()>(cmd("SET").arg("k").arg("chai")).await.unwrap();
    assert!(server.ask(&["GET", "k"]).contains("chai"));
}

#[tokio::test]
async fn a_certificate_that_nobody_trusted_signed_is_refused() {
    let certificates = TestCertificates::make();
    let server = RedisServer::start_with(&ServerOptions { tls: Some(&certificates), ..ServerOptions::default() });
    let expected = "redis is unavailable: its certificate is signed by nobody who is trusted here";
    let other = TestCertificates::make();
    for trusted in [other.trusted(), Certificates::default()] {
        assert_eq!(why_not(by_tls(&server, trusted)).await, expected);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let certificates = TestCertificates::made_for("DNS:elsewhere");
    let server = RedisServer::start_with(&ServerOptions { tls: Some(&certificates), ..ServerOptions::default() });
    let reason = why_not(by_tls(&server, certificates.trusted())).await;
    assert_eq!(reason, "redis is unavailable: its certificate is for another name");
}

#[tokio::test]
async fn a_server_that_wants_no_tls_is_told_by_its_silence() {
    let certificates = TestCertificates::make();
    let server = RedisServer::start();
    let access = Access { tls: Some(certificates.trusted()), ..Access::default() };
    let reason = why_not(Address::new("127.0.0.1", server.port(), access)).await;
    assert_eq!(reason, "redis is unavailable: it gave no answer in time: does it speak TLS?");
}

#[tokio::test]
async fn a_server_that_wants_tls_is_told_by_its_silence() {
    let certificates = TestCertificates::make();
    let server = RedisServer::start_with(&ServerOptions { tls: Some(&certificates), ..ServerOptions::default() });
    let reason = why_not(Address::new("127.0.0.1", server.tls_port(), Access::default())).await;
    assert_eq!(reason, "redis is unavailable: it closed the connection: does it want TLS?");
}

#[tokio::test]
async fn a_server_that_wants_a_clients_certificate_gets_it() {
    let certificates = TestCertificates::make().demanding_clients();
    let server = RedisServer::start_with(&ServerOptions { tls: Some(&certificates), ..ServerOptions::default() });
    link_to(server.address()).ping().await.unwrap();
    let without = Certificates { client: None, ..certificates.trusted() };
    let reason = why_not(by_tls(&server, without)).await;
    assert!(reason.ends_with("it wants a client's certificate that it trusts"), "{reason}");
}

#[test]
fn what_is_no_certificate_and_no_key_is_told() {
    let trusted = TestCertificates::make().demanding_clients().trusted();
    assert_eq!(trusted.check(), Ok(()));
    let (certificate, key) = trusted.client.clone().unwrap();
    let none = || b"chai".to_vec();
    let with = |client| Certificates { client: Some(client), ..Certificates::default() }.check();
    assert_eq!(with((none(), key)), Err(CertificatesError::Certificate));
    assert_eq!(with((certificate, none())), Err(CertificatesError::Key));
    let authorities = Certificates { authorities: Some(none()), ..trusted };
    assert_eq!(authorities.check(), Err(CertificatesError::Authorities));
}

#[tokio::test]
async fn a_cluster_with_tls_and_a_password_is_spoken_to() {
    let certificates = TestCertificates::make();
    let options = ServerOptions { tls: Some(&certificates), password: Some("chai"), ..ServerOptions::default() };
    let cluster = RedisCluster::start_with(&options);
    let link = link_to(cluster.link());
    for shard in 0..3 {
        link.command::<()>(cmd("SET").arg(cluster.key_in(shard, "k")).arg("chai")).await.unwrap();
    }
}

#[tokio::test]
async fn a_primary_that_sentinels_name_is_spoken_to_by_tls() {
    let certificates = TestCertificates::make();
    let options = ServerOptions { tls: Some(&certificates), password: Some("chai"), ..ServerOptions::default() };
    let set = SentinelSet::start_with(&options, Some("of-the-sentinels"));
    link_to(set.link()).command::<()>(cmd("SET").arg("k").arg("chai")).await.unwrap();
    assert!(set.servers[0].ask(&["GET", "k"]).contains("chai"));
}

/// The rights that `deploy/redis.md` asks for.
fn with_few_rights(server: &RedisServer) {
    server.ask(&["ACL", "SETUSER", "app", "on", ">secret", "~app:*", "+@all", "-@admin", "-@dangerous"]);
}

async fn sets(servers: Servers) {
    link_to(servers).command::<()>(cmd("SET").arg("app:k").arg("chai")).await.unwrap();
}

#[tokio::test]
async fn a_user_of_few_rights_is_enough_for_a_cluster() {
    let cluster = RedisCluster::start();
    cluster.nodes.iter().for_each(with_few_rights);
    let address = |node: &RedisServer| node.address().or_user(Some("app"), Some("secret"));
    let servers = Servers::Cluster(cluster.nodes.iter().map(address).collect());
    link_to(servers.clone()).ping().await.unwrap();
    sets(servers).await;
}

#[tokio::test]
async fn a_user_of_few_rights_is_enough_for_the_primary_that_sentinels_name() {
    let set = SentinelSet::start();
    set.servers.iter().for_each(with_few_rights);
    let Servers::Sentinel(mut of) = set.link() else { unreachable!() };
    of.access = Access { username: Some("app".to_owned()), password: Some("secret".to_owned()), ..of.access };
    sets(Servers::Sentinel(of)).await;
}

#[tokio::test]
async fn a_user_without_a_right_is_told_and_keeps_the_others() {
    let server = RedisServer::start();
    server.ask(&["ACL", "SETUSER", "app", "on", ">secret", "~app:*", "+get", "+set", "+ping"]);
    let link = link_to(Address::parse(&server.url()).unwrap().or_user(Some("app"), Some("secret")));
    let no_right = "redis is unavailable: the user has no right to do that there";
    let other_command = link.command::<()>(cmd("DEL").arg("app:k")).await.unwrap_err();
    let other_key = link.command::<()>(cmd("SET").arg("k").arg("chai")).await.unwrap_err();
    assert_eq!([other_command, other_key].map(|error| error.to_string()), [no_right, no_right]);
    link.command::<()>(cmd("SET").arg("app:k").arg("chai")).await.unwrap();
}
