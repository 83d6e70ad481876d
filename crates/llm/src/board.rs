use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use hitesh_redis::{Link, Script};

use crate::{BoardError, BreakerBoard, Hint, Notice};

/// Leaves hints and gives those that stand.
/// KEYS: one for each provider. ARGV: of each what is told (`fails`, `answers` or nothing), the hint, its life in ms.
const EXCHANGE: &str = "
    local stand = {}
    for i, key in ipairs(KEYS) do
        local told, hint, life = ARGV[3 * i - 2], ARGV[3 * i - 1], tonumber(ARGV[3 * i])
        if told == 'answers' then redis.call('DEL', key) end
        if told == 'fails' and redis.call('PTTL', key) < life then redis.call('SET', key, hint, 'PX', life) end
        stand[i] = {redis.call('GET', key), redis.call('PTTL', key)}
    end
    return stand";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(EXCHANGE));

/// A board in a Redis server, for all who name the same prefix. All its keys share a hash tag.
pub struct RedisBreakerBoard {
    link: Arc<Link>,
    prefix: String,
}

impl RedisBreakerBoard {
    /// The board that is under `prefix` on the server behind `link`.
    pub fn new(link: Arc<Link>, prefix: &str) -> Self {
        // The number is that of the stored form: another form is another board.
        Self { link, prefix: format!("{{{prefix}:breakers:1}}:") }
    }
}

#[async_trait]
impl BreakerBoard for RedisBreakerBoard {
    async fn exchange(&self, notices: &[Notice<'_>]) -> Result<Vec<Option<Hint>>, BoardError> {
        let mut call = SCRIPT.prepare_invoke();
        for notice in notices {
            call.key(format!("{}{}", self.prefix, notice.provider));
            let (told, hint) = match notice.told {
                None => ("", None),
                Some(Ok(())) => ("answers", None),
                Some(Err(hint)) => ("fails", Some(hint)),
            };
            let text = hint.map(serde_json::to_string).transpose().map_err(no_form)?.unwrap_or_default();
            // A life of nothing is none that Redis knows.
            let life = hint.map_or(Duration::ZERO, Hint::wait).max(Duration::from_millis(1));
            call.arg(told).arg(text).arg(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
        }
        let stand: Vec<(Option<String>, i64)> =
            self.link.script(&call).await.map_err(|error| BoardError { reason: error.to_string() })?;
        Ok(stand.into_iter().map(|(text, left)| standing(text.as_deref()?, left)).collect())
    }
}

/// One that can't be read is none: whoever needs it finds out by itself.
fn standing(text: &str, left: i64) -> Option<Hint> {
    let left = u64::try_from(left).ok().map(Duration::from_millis)?;
    Some(serde_json::from_str::<Hint>(text).ok()?.for_another(left))
}

fn no_form(_: serde_json::Error) -> BoardError {
    BoardError { reason: "a hint has no stored form".to_owned() }
}

impl fmt::Debug for RedisBreakerBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBreakerBoard").field("link", &self.link).field("prefix", &self.prefix).finish()
    }
}
