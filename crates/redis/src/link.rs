use std::{fmt, sync::Arc, time::Duration};

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation};
use tokio::runtime::Handle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Servers,
    call::{self, Answer, Call},
    error::{Failed, LinkError, words},
    node::Node,
    pool::Manager,
};

/// How often a server that is away is asked whether it is back.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How servers are spoken to.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSettings {
    /// Where they are.
    pub servers: Servers,
    /// Connections at most, to each server; each serves one call at a time.
    pub connections: usize,
    /// How long a call may take, from its wish for a connection to its reply.
    pub deadline: Duration,
    /// What [`Link::script_to_replicas`] waits for; none is nothing.
    pub replicas: Option<Wait>,
}

/// What makes a write one that survives its primary: that replicas have it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// So many replicas.
    pub replicas: u32,
    /// Waited for so long at most, beyond the call's deadline.
    pub timeout: Duration,
}

/// A pool of connections to one server, behind a breaker. Dropping it closes them.
pub struct Link {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
    _stop_at_drop: DropGuard,
}

struct Shared {
    node: Node,
    servers: Servers,
    deadline: Duration,
    replicas: Option<Wait>,
}

impl LinkSettings {
    /// Up to 16 connections, and no wait for replicas.
    pub fn new(servers: impl Into<Servers>, deadline: Duration) -> Self {
        Self { servers: servers.into(), connections: 16, deadline, replicas: None }
    }
}

impl Link {
    /// A link over which nothing was sent yet: a server that is away now may be there later. Its task runs on `runtime`.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(settings: LinkSettings, runtime: Handle) -> Result<Self, LinkError> {
        let LinkSettings { servers, connections, deadline, replicas } = settings;
        let invalid = |reason: String| LinkError::Invalid { reason };
        let Servers::Single(address) = &servers else { return Err(invalid("only one server is spoken to".to_owned())) };
        let client = address.client().map_err(|error| invalid(words(&error)))?;
        let node = Node::new(address.to_string(), connections, deadline, |era| Manager::new(client, deadline, era));
        let stop = CancellationToken::new();
        Ok(Self {
            shared: Arc::new(Shared { node: node.map_err(invalid)?, servers, deadline, replicas }),
            tasks: TaskTracker::new(),
            runtime,
            _stop_at_drop: stop.clone().drop_guard(),
            stop,
        })
    }

    /// One command. A cluster has it done by the node that has its first key.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LinkError> {
        self.call(Call::Command(command)).await
    }

    /// Several commands in one round trip, whose keys are all in one slot: a cluster has them done by the node that has the
    /// first of them.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, LinkError> {
        self.call(Call::Pipeline(pipeline)).await
    }

    /// A script, whose keys are all in one slot: one round trip, and two more when the server does not know it yet. A cluster
    /// has it done by the node that has its first key.
    pub async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, LinkError> {
        self.call(Call::script(script, None).map_err(unknown_script)?).await
    }

    /// Like [`script`](Self::script), and whether as many replicas have what it wrote as [`LinkSettings::replicas`] says; true
    /// if that says nothing. What did not reach them in time is on the primary all the same, and on its way to them.
    ///
    /// It takes one round trip still, which ends when they have it, or after that time.
    pub async fn script_to_replicas<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<(T, bool), LinkError> {
        let call = Call::script(script, self.shared.replicas).map_err(unknown_script)?;
        let Answer { value, reached } = self.answer(call).await?;
        Ok((read(value)?, reached))
    }

    /// Asks whether the server is there, whatever was known of it.
    pub async fn ping(&self) -> Result<(), LinkError> {
        self.shared.check().await.map_err(|failed| failed.error)
    }

    /// Where the servers are, without user and password.
    pub fn servers(&self) -> &Servers {
        &self.shared.servers
    }

    /// Closes the connections. Every later call is [`LinkError::Unavailable`].
    pub fn close(&self) {
        self.stop.cancel();
        self.shared.node.close();
    }

    async fn call<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, LinkError> {
        read(self.answer(call).await?.value)
    }

    async fn answer(&self, call: Call<'_>) -> Result<Answer, LinkError> {
        if let Some(reason) = self.shared.node.away() {
            return Err(LinkError::Unavailable { reason, in_doubt: false });
        }
        let result = self.shared.node.call(&call, call.deadline(self.shared.deadline), false).await;
        if self.shared.node.opens(&result) {
            let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
            let until_back = async move { stop.run_until_cancelled(shared.until_back()).await };
            self.tasks.spawn_on(until_back, &self.runtime);
        }
        result.map_err(|failed| failed.error)
    }
}

impl Shared {
    async fn check(&self) -> Result<(), Failed> {
        self.node.call(&Call::Command(&redis::cmd("PING")), self.deadline, false).await.map(|_| ())
    }

    async fn until_back(&self) {
        while self.check().await.is_err() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        self.node.back();
    }
}

fn read<T: FromRedisValue>(value: redis::Value) -> Result<T, LinkError> {
    call::read(value).map_err(|error| LinkError::Invalid { reason: words(&error) })
}

fn unknown_script(error: RedisError) -> LinkError {
    LinkError::Invalid { reason: words(&error) }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("servers", &self.shared.servers).finish_non_exhaustive()
    }
}
