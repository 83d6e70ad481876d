use std::{fmt, sync::Arc, time::Duration};

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation};
use tokio::runtime::Handle;

use crate::{
    Servers,
    background::Background,
    call::{self, Answer, Call},
    cluster::Cluster,
    error::{LinkError, words},
    node::{Limit, Node},
    pool::{Era, Manager},
    sentinel::Primary,
};

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

/// Pooled connections to servers, each behind a breaker. Dropping it closes them.
pub struct Link {
    route: Route,
    servers: Servers,
    deadline: Duration,
    replicas: Option<Wait>,
    background: Background,
}

/// Who does a call.
enum Route {
    One(Arc<Node>),
    Cluster(Arc<Cluster>),
}

impl LinkSettings {
    /// Up to 16 connections, and no wait for replicas.
    pub fn new(servers: impl Into<Servers>, deadline: Duration) -> Self {
        Self { servers: servers.into(), connections: 16, deadline, replicas: None }
    }
}

impl Link {
    /// A link over which nothing was sent yet: a server that is away now may be there later. Its tasks run on `runtime`.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(settings: LinkSettings, runtime: Handle) -> Result<Self, LinkError> {
        let LinkSettings { servers, connections, deadline, replicas } = settings;
        let background = Background::new(runtime);
        let route = match &servers {
            Servers::Single(address) => {
                let client = address.client().map_err(unusable)?;
                let manager = |era| Manager::to_server(client, deadline, era);
                one(address.host(), &servers, connections, deadline, manager)?
            }
            Servers::Sentinel(sentinels) => {
                let primary = Primary::new(sentinels.clone()).map_err(unusable)?;
                let manager = |era| Manager::to_primary(primary, deadline, era);
                one(&sentinels.primary, &servers, connections, deadline, manager)?
            }
            Servers::Cluster(nodes) => {
                nodes.iter().try_for_each(|node| node.client().map(|_| ())).map_err(unusable)?;
                Route::Cluster(Arc::new(Cluster::new(nodes.clone(), connections, deadline, background.clone())))
            }
        };
        Ok(Self { route, servers, deadline, replicas, background })
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
        self.call(Call::script(script, None).map_err(unusable)?).await
    }

    /// Like [`script`](Self::script), and whether as many replicas have what it wrote as [`LinkSettings::replicas`] says; true
    /// if that says nothing. What did not reach them in time is on the primary all the same, and on its way to them.
    ///
    /// It takes one round trip still, which ends when they have it, or after that time.
    pub async fn script_to_replicas<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<(T, bool), LinkError> {
        let call = Call::script(script, self.replicas).map_err(unusable)?;
        let Answer { value, reached } = self.answer(call).await?;
        let reached = reached.map_err(|error| LinkError::Unavailable {
            reason: format!("replicas can't be waited for: {}", words(&error)),
            in_doubt: true,
        });
        Ok((read(value)?, reached?))
    }

    /// Asks whether the servers are there, whatever was known of them: of a cluster, each that has slots.
    pub async fn ping(&self) -> Result<(), LinkError> {
        let limit = Limit::of(self.deadline);
        let checked = match &self.route {
            Route::One(node) => node.check(limit).await,
            Route::Cluster(cluster) => cluster.check(limit).await,
        };
        checked.map_err(|failed| failed.error)
    }

    /// Where the servers are, without user and password.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Closes the connections. Every later call is [`LinkError::Unavailable`].
    pub fn close(&self) {
        self.background.stop();
        match &self.route {
            Route::One(node) => node.close(),
            Route::Cluster(cluster) => cluster.close(),
        }
    }

    async fn call<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, LinkError> {
        read(self.answer(call).await?.value)
    }

    async fn answer(&self, call: Call<'_>) -> Result<Answer, LinkError> {
        if self.background.is_stopped() {
            return Err(LinkError::Unavailable { reason: "the link is closed".to_owned(), in_doubt: false });
        }
        let limit = Limit::of(call.deadline(self.deadline));
        let result = match &self.route {
            Route::One(node) => node.guarded(&call, limit, &self.background).await,
            Route::Cluster(cluster) => cluster.call(&call, limit).await,
        };
        result.map_err(|failed| failed.error)
    }
}

/// All calls go to one server, whichever that is.
fn one(
    host: &str,
    servers: &Servers,
    connections: usize,
    deadline: Duration,
    manager: impl FnOnce(Era) -> Manager,
) -> Result<Route, LinkError> {
    let node = Node::new(host, servers.to_string(), connections, deadline, manager);
    Ok(Route::One(Arc::new(node.map_err(|reason| LinkError::Invalid { reason })?)))
}

fn read<T: FromRedisValue>(value: redis::Value) -> Result<T, LinkError> {
    call::read(value).map_err(|error| LinkError::Invalid { reason: words(&error) })
}

fn unusable(error: RedisError) -> LinkError {
    LinkError::Invalid { reason: words(&error) }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.background.stop();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("servers", &self.servers).finish_non_exhaustive()
    }
}
