//! What is asked of a server in one call, and how it is sent over a connection.

use std::time::Duration;

use futures::FutureExt;
use redis::{
    Arg, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisFuture, RedisResult, ScriptInvocation,
    ServerErrorKind, Value, aio::ConnectionLike, cmd,
};

use crate::Wait;

/// One call.
pub(crate) enum Call<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script {
        script: &'a ScriptInvocation<'a>,
        /// The command that runs it.
        run: Cmd,
        /// Whose acknowledgement to wait for.
        replicas: Option<Wait>,
    },
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) value: Value,
    /// Whether as many replicas have it as the call waited for; an error if that could not be waited for.
    pub(crate) reached: RedisResult<bool>,
}

impl<'a> Call<'a> {
    /// # Errors
    /// Only if the client's library made another command of a script than it used to.
    pub(crate) fn script(script: &'a ScriptInvocation<'a>, replicas: Option<Wait>) -> RedisResult<Self> {
        let mut recorder = Recorder(None);
        // It is ready at once: what it is given as a connection only keeps what it is asked.
        let _ = script.invoke_async::<Value>(&mut recorder).now_or_never();
        let unknown = || RedisError::from((ErrorKind::Client, "a script is no single command"));
        Ok(Self::Script { script, run: recorder.0.ok_or_else(unknown)?, replicas })
    }

    /// How many replies a server gives to it.
    pub(crate) fn commands(&self) -> usize {
        match self {
            Self::Command(_) | Self::Script { .. } => 1,
            Self::Pipeline(pipeline) => pipeline.len(),
        }
    }

    /// How long it may take, of a link whose calls may take `usual`. A script that is sent a second time, because the server
    /// did not know it, may have waited for replicas twice.
    pub(crate) fn deadline(&self, usual: Duration) -> Duration {
        match self {
            Self::Script { replicas: Some(Wait { timeout, .. }), .. } => usual + *timeout * 2,
            _ => usual,
        }
    }

    /// The key that says which node of a cluster has what this is about: its first. None if any node will do.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Command(command) => first_key(command),
            Self::Pipeline(pipeline) => pipeline.cmd_iter().find_map(first_key),
            Self::Script { run, .. } => first_key(run),
        }
    }

    pub(crate) async fn send(&self, connection: &mut impl ConnectionLike) -> RedisResult<Answer> {
        let value = match self {
            Self::Command(command) => command.query_async(connection).await?,
            Self::Pipeline(pipeline) => pipeline.query_async(connection).await?,
            Self::Script { script, run, replicas } => match run_script(run, *replicas, connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    script.load_async(connection).await?;
                    return run_script(run, *replicas, connection).await;
                }
                result => return result,
            },
        };
        Ok(Answer { value, reached: Ok(true) })
    }
}

/// In one round trip, whatever it waits for.
async fn run_script(run: &Cmd, replicas: Option<Wait>, connection: &mut impl ConnectionLike) -> RedisResult<Answer> {
    let Some(Wait { replicas, timeout }) = replicas else {
        return Ok(Answer { value: run.query_async(connection).await?, reached: Ok(true) });
    };
    let mut both = Pipeline::with_capacity(2);
    // 0 would be no limit.
    let limit = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
    both.add_command(run.clone()).cmd("WAIT").arg(replicas).arg(limit).ignore_errors();
    let (value, acknowledged) = both.query_async::<(RedisResult<Value>, RedisResult<u64>)>(connection).await?;
    Ok(Answer { value: value?, reached: acknowledged.map(|count| count >= u64::from(replicas)) })
}

/// By the form of those commands whose first argument is not their key.
fn first_key(command: &Cmd) -> Option<&[u8]> {
    let mut words = command.args_iter().map(|word| match word {
        Arg::Simple(bytes) => bytes,
        _ => b"".as_slice(),
    });
    let name = words.next()?.to_ascii_uppercase();
    match name.as_slice() {
        b"EVAL" | b"EVALSHA" | b"EVAL_RO" | b"EVALSHA_RO" | b"FCALL" | b"FCALL_RO" => {
            words.nth(1).filter(|keys| *keys != b"0").and_then(|_| words.next())
        }
        b"XREAD" | b"XREADGROUP" => words.find(|word| word.eq_ignore_ascii_case(b"STREAMS")).and_then(|_| words.next()),
        b"OBJECT" | b"MEMORY" | b"XGROUP" | b"XINFO" => words.nth(1),
        b"PING" | b"ECHO" | b"TIME" | b"INFO" | b"ROLE" | b"WAIT" | b"SCRIPT" | b"FUNCTION" | b"CLUSTER"
        | b"CONFIG" | b"CLIENT" | b"ACL" | b"COMMAND" | b"DBSIZE" | b"SCAN" | b"PUBLISH" => None,
        _ => words.next(),
    }
}

/// Stands in for a connection to learn which command a script is.
struct Recorder(Option<Cmd>);

impl ConnectionLike for Recorder {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0 = Some(command.clone());
        futures::future::ready(Ok(Value::Nil)).boxed()
    }

    fn req_packed_commands<'a>(&'a mut self, _: &'a Pipeline, _: usize, _: usize) -> RedisFuture<'a, Vec<Value>> {
        futures::future::ready(Ok(Vec::new())).boxed()
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// A connection to a node that is being given a slot: each command says that it knows.
pub(crate) struct Asking<'c, C>(pub(crate) &'c mut C);

impl<C: ConnectionLike + Send> ConnectionLike for Asking<'_, C> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let mut both = Pipeline::with_capacity(2);
            both.cmd("ASKING").ignore().add_command(command.clone());
            let (value,) = both.query_async(self.0).await?;
            Ok(value)
        }
        .boxed()
    }

    /// Not for transactions: within one, a server does not hear it.
    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        _offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        async move {
            let mut all = Pipeline::with_capacity(2 * count);
            for command in pipeline.cmd_iter() {
                all.add_command(cmd("ASKING")).add_command(command.clone());
            }
            let replies = self.0.req_packed_commands(&all, 0, all.len()).await?;
            Ok(replies.into_iter().skip(1).step_by(2).collect())
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

/// What a caller expects of an answer.
pub(crate) fn read<T: FromRedisValue>(value: Value) -> RedisResult<T> {
    Ok(redis::from_redis_value(value)?)
}

#[cfg(test)]
mod tests {
    use redis::{Script, pipe};

    use super::*;

    fn key_of(words: &str) -> Option<String> {
        let mut words = words.split(' ');
        let mut command = cmd(words.next().unwrap());
        words.for_each(|word| {
            command.arg(word);
        });
        Call::Command(&command).key().map(|key| String::from_utf8(key.to_vec()).unwrap())
    }

    #[test]
    fn a_command_goes_where_its_first_key_is() {
        for (words, key) in [
            ("GET k", Some("k")),
            ("mget k other", Some("k")),
            ("XADD k * a 1", Some("k")),
            ("EVALSHA abc 2 k other x", Some("k")),
            ("EVALSHA abc 0 x", None),
            ("XREAD COUNT 5 BLOCK 0 STREAMS k 0-0", Some("k")),
            ("xreadgroup GROUP g c streams k >", Some("k")),
            ("XGROUP CREATE k g $", Some("k")),
            ("PING", None),
            ("SCRIPT LOAD return", None),
        ] {
            assert_eq!(key_of(words).as_deref(), key, "{words}");
        }
    }

    #[test]
    fn a_script_goes_where_its_first_key_is() {
        let script = Script::new("return 1");
        let mut run = script.key("k");
        run.key("other").arg("x");
        assert_eq!(Call::script(&run, None).unwrap().key(), Some(b"k".as_slice()));
    }

    #[test]
    fn a_pipeline_goes_where_the_first_key_in_it_is() {
        let mut pipeline = pipe();
        pipeline.cmd("PING").cmd("GET").arg("k");
        assert_eq!(Call::Pipeline(&pipeline).key(), Some(b"k".as_slice()));
    }
}
