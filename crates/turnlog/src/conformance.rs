//! What every log promises, as one test each. A backend's tests call [`conformance_tests!`](crate::conformance_tests) with a
//! future that makes an empty one, whose times are [`SHORT`], and something that has to live as long (a server); it is
//! evaluated once for each test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this module is tests: its functions' names say what they check, and a panic is how they fail"
)]

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use hitesh_domain::LogId;

use crate::{Batch, Ending, Lease, LogError, LogTimes, Tail, TurnLog};

/// Leases and wishes end while a test looks on; all else outlives it.
pub const SHORT: LogTimes = LogTimes {
    lease: Duration::from_millis(1500),
    open: Duration::from_secs(600),
    ended: Duration::from_secs(600),
    wanted: Duration::from_millis(1500),
    landed: Duration::from_millis(1500),
};

/// Makes a `#[tokio::test]` of each promise. `$make` is a future of `(Arc<dyn TurnLog>, T)`; the `T` is dropped after
/// the log.
///
/// With `in one world` it makes one test of all, which wait for their leases side by side: `$world` is what takes long to start, and
/// `$make` gives an empty log in it by the name of a promise.
#[macro_export]
macro_rules! conformance_tests {
    (in one world $world:expr, $make:expr) => {
        #[tokio::test]
        async fn every_promise_is_kept() {
            let world = $world;
            $crate::conformance_tests! { @list @side_by_side (&world, $make) }
        }
    };
    ($make:expr) => {
        $crate::conformance_tests! { @list @each ($make) }
    };
    (@list @$how:ident $with:tt) => {
        $crate::conformance_tests! { @$how $with
            an_unknown_log_is_empty_and_nobodys, entries_are_read_from_any_number_on, any_bytes_come_back_as_they_were,
            a_batch_that_comes_again_changes_nothing, a_batch_after_missing_ones_is_refused, nothing_is_added_after_the_end,
            what_is_about_the_whole_is_the_newest, an_equal_question_follows_under_its_own_name,
            others_of_a_flight_lead_when_it_has_ended, a_whole_answer_has_just_landed, a_follower_is_a_wish,
            only_one_of_many_leads, a_log_of_a_living_writer_is_not_sealed, a_sealed_log_takes_nothing_more,
            a_flight_whose_leader_is_silent_has_another, a_name_of_another_log_is_not_sealed, each_write_renews_the_lease,
        }
    };
    (@side_by_side ($world:expr, $make:expr) $($promise:ident),+ $(,)?) => {
        let promises: Vec<std::pin::Pin<Box<dyn Future<Output = ()>>>> =
            vec![$(Box::pin($crate::conformance::$promise($make($world, stringify!($promise)))),)+];
        futures::future::join_all(promises).await;
    };
    (@each ($make:expr) $($promise:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let (log, _world) = $make.await;
                $crate::conformance::$promise(log).await;
            }
        )+
    };
}

type Log = Arc<dyn TurnLog>;

const LEADS: Lease = Lease::Leads { landed: false };

fn flight() -> [LogId; 3] {
    std::array::from_fn(|_| LogId::of_flight(&[9; 32]))
}

fn bytes(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

async fn add(log: &Log, id: LogId, from: usize, texts: &[&str]) -> Result<(), LogError> {
    let entries = bytes(texts);
    let about = Bytes::from_static(b"about");
    log.append(id, Batch { from, entries: &entries, about: &about, ending: None, complete: false }).await
}

async fn end(log: &Log, id: LogId, from: usize, ending: &str, complete: bool) -> Result<(), LogError> {
    let (about, ending) = (Bytes::from_static(b"about"), Bytes::copy_from_slice(ending.as_bytes()));
    log.append(id, Batch { from, entries: &[], about: &about, ending: Some(&ending), complete }).await
}

async fn read(log: &Log, id: LogId, from: usize) -> Tail {
    log.read_from(id, from, false).await.unwrap()
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    for _ in 0..1000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain for {what}");
}

async fn lease_over(log: &Log, id: LogId) {
    eventually("the lease to be over", || async { !read(log, id, 0).await.alive }).await;
}

fn is_sealed(result: Result<(), LogError>) -> bool {
    matches!(result, Err(LogError::Sealed))
}

pub async fn an_unknown_log_is_empty_and_nobodys(log: Log) {
    assert_eq!(read(&log, LogId::alone(), 0).await, Tail::default());
    assert!(!log.is_wanted(LogId::alone()).await.unwrap());
}

pub async fn entries_are_read_from_any_number_on(log: Log) {
    let id = LogId::alone();
    add(&log, id, 0, &["a", "b"]).await.unwrap();
    add(&log, id, 2, &["c"]).await.unwrap();
    for (from, expected) in [(0, vec!["a", "b", "c"]), (1, vec!["b", "c"]), (2, vec!["c"]), (3, vec![]), (9, vec![])] {
        let tail = read(&log, id, from).await;
        assert_eq!((tail.entries, tail.alive, tail.ending), (bytes(&expected), true, None), "from {from}");
    }
}

pub async fn any_bytes_come_back_as_they_were(log: Log) {
    let id = LogId::alone();
    let all: Bytes = (0..=255).collect::<Vec<u8>>().into();
    let entries = [all.clone(), Bytes::from(vec![b'x'; 100_000])];
    let batch = Batch { from: 0, entries: &entries, about: &all, ending: Some(&all), complete: false };
    log.append(id, batch).await.unwrap();
    let tail = read(&log, id, 0).await;
    assert_eq!((&tail.entries[..], tail.about.as_ref()), (&entries[..], Some(&all)));
    assert_eq!(tail.ending, Some(Ending::Written(all)));
}

pub async fn a_batch_that_comes_again_changes_nothing(log: Log) {
    let id = LogId::alone();
    for texts in [&["a", "b"][..], &["a", "b"], &["a"], &["a", "b", "c"]] {
        add(&log, id, 0, texts).await.unwrap();
    }
    for _ in 0..2 {
        end(&log, id, 3, "over", true).await.unwrap();
    }
    assert_eq!(read(&log, id, 0).await.entries, bytes(&["a", "b", "c"]));
}

pub async fn a_batch_after_missing_ones_is_refused(log: Log) {
    let id = LogId::alone();
    add(&log, id, 0, &["a"]).await.unwrap();
    assert!(is_sealed(add(&log, id, 2, &["c"]).await));
    assert_eq!(read(&log, id, 0).await.entries, bytes(&["a"]));
}

pub async fn nothing_is_added_after_the_end(log: Log) {
    let id = LogId::alone();
    add(&log, id, 0, &["a"]).await.unwrap();
    end(&log, id, 1, "over", false).await.unwrap();
    assert!(is_sealed(add(&log, id, 1, &["b"]).await));
    assert!(is_sealed(end(&log, id, 1, "otherwise", false).await));
    let tail = read(&log, id, 0).await;
    assert_eq!((tail.entries, tail.alive), (bytes(&["a"]), false));
    assert_eq!(tail.ending, Some(Ending::Written("over".into())));
    assert!(log.seal(id).await.unwrap());
    assert_eq!(read(&log, id, 0).await.ending, Some(Ending::Written("over".into())));
}

pub async fn what_is_about_the_whole_is_the_newest(log: Log) {
    let id = LogId::alone();
    for about in ["first", "second"] {
        let about = Bytes::from_static(about.as_bytes());
        log.append(id, Batch { from: 0, entries: &[], about: &about, ending: None, complete: false }).await.unwrap();
    }
    assert_eq!(read(&log, id, 0).await.about, Some("second".into()));
}

pub async fn an_equal_question_follows_under_its_own_name(log: Log) {
    let [a, b, _] = flight();
    assert_eq!(log.lease(a).await.unwrap(), LEADS);
    assert_eq!(log.lease(b).await.unwrap(), Lease::Follows);
    assert_eq!(log.lease(LogId::of_flight(&[8; 32])).await.unwrap(), LEADS);
    let before = read(&log, b, 0).await;
    assert!(before.alive && before.follows, "also before anything was added");
    assert!(!read(&log, a, 0).await.follows);
    add(&log, a, 0, &["a"]).await.unwrap();
    end(&log, a, 1, "over", true).await.unwrap();
    let tail = read(&log, b, 0).await;
    assert_eq!((tail.entries, tail.ending), (bytes(&["a"]), Some(Ending::Written("over".into()))));
}

pub async fn others_of_a_flight_lead_when_it_has_ended(log: Log) {
    let [a, b, _] = flight();
    log.lease(a).await.unwrap();
    end(&log, a, 0, "failed", false).await.unwrap();
    assert_eq!(log.lease(b).await.unwrap(), LEADS);
}

pub async fn a_whole_answer_has_just_landed(log: Log) {
    let [a, b, c] = flight();
    log.lease(a).await.unwrap();
    end(&log, a, 0, "whole", true).await.unwrap();
    assert_eq!(log.lease(b).await.unwrap(), Lease::Leads { landed: true });
    end(&log, b, 0, "failed", false).await.unwrap();
    eventually("the landing to be over", || async { log.lease(c).await.unwrap() == LEADS }).await;
}

pub async fn a_follower_is_a_wish(log: Log) {
    let [a, b, _] = flight();
    log.lease(a).await.unwrap();
    assert!(!log.is_wanted(a).await.unwrap());
    log.lease(b).await.unwrap();
    assert!(log.is_wanted(a).await.unwrap());
    eventually("the wish to be over", || async { !log.is_wanted(a).await.unwrap() }).await;
    log.read_from(b, 0, false).await.unwrap();
    assert!(!log.is_wanted(a).await.unwrap(), "to look is no wish");
    log.read_from(b, 0, true).await.unwrap();
    assert!(log.is_wanted(a).await.unwrap());
}

pub async fn only_one_of_many_leads(log: Log) {
    let logs: Vec<_> = (0..20).map(|_| LogId::of_flight(&[9; 32])).collect();
    let leases = join_all(logs.iter().map(|id| log.lease(*id))).await;
    let leaders = leases.into_iter().filter(|lease| lease.as_ref().unwrap() == &LEADS).count();
    assert_eq!(leaders, 1);
}

pub async fn a_log_of_a_living_writer_is_not_sealed(log: Log) {
    let id = LogId::alone();
    add(&log, id, 0, &["a"]).await.unwrap();
    assert!(!log.seal(id).await.unwrap());
    add(&log, id, 1, &["b"]).await.unwrap();
}

pub async fn a_sealed_log_takes_nothing_more(log: Log) {
    let id = LogId::alone();
    add(&log, id, 0, &["a"]).await.unwrap();
    lease_over(&log, id).await;
    assert!(log.seal(id).await.unwrap());
    assert!(is_sealed(add(&log, id, 1, &["b"]).await));
    assert!(is_sealed(end(&log, id, 1, "over", true).await));
    let tail = read(&log, id, 0).await;
    assert_eq!((tail.entries, tail.ending, tail.alive), (bytes(&["a"]), Some(Ending::Sealed), false));
}

pub async fn a_flight_whose_leader_is_silent_has_another(log: Log) {
    let [a, b, c] = flight();
    log.lease(a).await.unwrap();
    lease_over(&log, a).await;
    assert_eq!(log.lease(b).await.unwrap(), LEADS);
    assert_eq!(log.lease(c).await.unwrap(), Lease::Follows);
    // It slept only: what it writes is its own log, and no one's who joins.
    add(&log, a, 0, &["late"]).await.unwrap();
    end(&log, a, 1, "over", false).await.unwrap();
    assert_eq!(read(&log, c, 0).await.entries, bytes(&[]));
    assert_eq!(log.lease(a).await.unwrap(), Lease::Follows);
}

pub async fn a_name_of_another_log_is_not_sealed(log: Log) {
    let [a, b, _] = flight();
    log.lease(a).await.unwrap();
    log.lease(b).await.unwrap();
    assert!(!log.seal(b).await.unwrap());
    add(&log, a, 0, &["a"]).await.unwrap();
    assert_eq!(read(&log, b, 0).await.ending, None);
}

pub async fn each_write_renews_the_lease(log: Log) {
    let [a, b, _] = flight();
    log.lease(a).await.unwrap();
    for number in 0..8 {
        tokio::time::sleep(SHORT.lease / 4).await;
        add(&log, a, number, &["x"]).await.unwrap();
    }
    // Twice a lease has passed: it is the writes that have kept it.
    assert_eq!(log.lease(b).await.unwrap(), Lease::Follows);
}
