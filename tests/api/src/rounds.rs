use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};

/// Replies are let go when nothing more has been asked for so long: what was asked by then went side by side.
const QUIET: Duration = Duration::from_millis(80);

/// A way to a server that can be a bad one: it delays replies, and breaks off.
///
/// Round trips can be seen on it: then it holds all replies until nobody asks anything any more without one, and lets them
/// go together. What is asked between two such moments took one round trip.
pub struct Rounds {
    port: u16,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Texts that were sent since the last moment; none while nothing is held.
    asked: Mutex<Option<Vec<String>>>,
    rounds: Mutex<Vec<Vec<String>>>,
    heard: Notify,
    /// Counts the moments.
    moments: watch::Sender<u64>,
    /// How long a reply takes on its way.
    delay: Mutex<Duration>,
    /// Counts how often all connections were broken.
    cuts: watch::Sender<u64>,
}

impl Rounds {
    /// A way to the server on `port` of this machine, that holds nothing yet.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let own = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            asked: Mutex::new(None),
            rounds: Mutex::default(),
            heard: Notify::new(),
            moments: watch::Sender::new(0),
            delay: Mutex::default(),
            cuts: watch::Sender::new(0),
        });
        let tasks =
            vec![tokio::spawn(accept(listener, port, Arc::clone(&shared))), tokio::spawn(release(Arc::clone(&shared)))];
        Self { port: own, shared, tasks }
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets each reply take so long from now on.
    pub fn delay(&self, by: Duration) {
        *self.shared.delay.lock().expect("no panic") = by;
    }

    /// Breaks all connections: what was asked may have been done, and nobody is told. New ones are let through.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cut| *cut += 1);
    }

    /// What was sent in each round trip while `work` was done.
    pub async fn of(&self, work: impl Future<Output = ()>) -> Vec<Vec<String>> {
        self.shared.rounds.lock().expect("no panic").clear();
        *self.shared.asked.lock().expect("no panic") = Some(Vec::new());
        work.await;
        let rest = self.shared.asked.lock().expect("no panic").take();
        self.shared.moments.send_modify(|moment| *moment += 1);
        let mut rounds = std::mem::take(&mut *self.shared.rounds.lock().expect("no panic"));
        rounds.extend(rest);
        rounds
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, port: u16, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { continue };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        for way in [
            ask(from_client, to_server, Arc::clone(&shared)).boxed(),
            reply(from_server, to_client, Arc::clone(&shared)).boxed(),
        ] {
            let mut cuts = shared.cuts.subscribe();
            tokio::spawn(async move {
                tokio::select! { () = way => {}, _ = cuts.changed() => {} }
            });
        }
    }
}

async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: Arc<Shared>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if let Some(asked) = shared.asked.lock().expect("no panic").as_mut() {
            asked.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        shared.heard.notify_one();
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn reply(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: Arc<Shared>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut moments = shared.moments.subscribe();
        let is_held = shared.asked.lock().expect("no panic").is_some();
        if is_held {
            // One that comes late does not wait for the next question.
            shared.heard.notify_one();
            if moments.changed().await.is_err() {
                return;
            }
        }
        let delay = *shared.delay.lock().expect("no panic");
        tokio::time::sleep(delay).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn release(shared: Arc<Shared>) {
    loop {
        shared.heard.notified().await;
        while timeout(QUIET, shared.heard.notified()).await.is_ok() {}
        let round = shared.asked.lock().expect("no panic").as_mut().map(std::mem::take);
        shared.rounds.lock().expect("no panic").extend(round);
        shared.moments.send_modify(|moment| *moment += 1);
    }
}
