//! Moves sessions from the SQLite file to Redis.

#[cfg(feature = "redis")]
mod to_redis {
    use std::{
        io::{IsTerminal, Write},
        path::Path,
        time::Duration,
    };

    use hitesh_sessions::{
        Moved, RedisSessions, SessionStore, StoreError,
        sqlite::{OpenError, SqlitePath, SqliteSessions, SqliteSettings},
    };
    use indicatif::{ProgressBar, ProgressStyle};

    use crate::{
        args::{MigrateArgs, StoreKind},
        backends::BackendError,
        redis,
        settings::{RedisSettings, Settings},
        shutdown,
        start::StartError,
    };

    /// A call may take so long: nobody waits for an answer meanwhile.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// What became of the sessions.
    #[derive(Debug, Default)]
    struct Count {
        moved: u64,
        before: u64,
        differ: u64,
        turns: u64,
    }

    /// Moves them all, or as many as come before the first failure, and says how many.
    ///
    /// # Errors
    /// If either store can't be used, if a session differs from one of its name there, or at a signal.
    pub(in crate::cli) async fn run(settings: &Settings, args: &MigrateArgs) -> Result<(), StartError> {
        if (args.from, args.to) != (StoreKind::Sqlite, StoreKind::Redis) {
            return failed("sessions move from sqlite to redis only");
        }
        let Some(shared) = &settings.redis else { return failed("the settings name no Redis: set REDIS_URL") };
        let Some(path) = settings.sessions.file.as_deref() else { return failed("sessions.path names no file") };
        let from = open(path).await?;
        // What a crash left open is ended, as at a start of the server.
        from.recover().await.map_err(BackendError::from)?;
        let (servers, answer) = redis::reach(shared).await?;
        answer.map_err(|reason| StartError::Command(format!("{servers}: {reason}")))?;
        let there = from.stats().await.map_err(BackendError::from)?;
        let (sessions, turns) = (there.sessions, there.turns);
        let mut out = std::io::stdout();
        writeln!(out, "{}: {sessions} sessions with {turns} turns, to {servers}", path.display())?;
        if args.dry_run {
            return Ok(());
        }
        let mut count = Count::default();
        let result = move_all(&from, shared, sessions, &mut count).await;
        let Count { moved, before, differ, turns } = count;
        writeln!(
            out,
            "moved {moved}, there already {before}, different there {differ}; {turns} turns verified by digest"
        )?;
        result?;
        match (moved + before + differ == sessions, differ) {
            (true, 0) => Ok(()),
            (true, _) => failed("sessions that differ were left as they are there"),
            (false, _) => failed("not all sessions of the file were seen: run it again"),
        }
    }

    async fn open(path: &Path) -> Result<SqliteSessions, StartError> {
        if !path.is_file() {
            return failed(format!("there is no file {}", path.display()));
        }
        let settings = SqliteSettings { path: SqlitePath::File(path.to_owned()), ..SqliteSettings::default() };
        let opened = tokio::task::spawn_blocking(move || SqliteSessions::open(settings)).await;
        match opened.map_err(|_| BackendError::Interrupted)? {
            Err(OpenError::InUse { .. }) => failed(format!("{} is in use: stop the server first", path.display())),
            opened => Ok(opened.map_err(BackendError::from)?),
        }
    }

    async fn move_all(
        from: &SqliteSessions,
        shared: &RedisSettings,
        sessions: u64,
        count: &mut Count,
    ) -> Result<(), StartError> {
        let to = redis::sessions_by(shared, DEADLINE)?;
        let bar = bar(sessions);
        let result = {
            let stop = shutdown::signal()?;
            tokio::select! {
                result = each(from, &to, &bar, count) => result.map_err(|error| StartError::Command(error.to_string())),
                () = stop => failed("stopped; what was moved stays, and running it again goes on"),
            }
        };
        bar.finish_and_clear();
        to.close().await;
        result
    }

    async fn each(
        from: &SqliteSessions,
        to: &RedisSessions,
        bar: &ProgressBar,
        count: &mut Count,
    ) -> Result<(), StoreError> {
        let mut after = 0;
        while let Some((number, record)) = from.export_after(after).await? {
            match to.import(&record).await? {
                Moved::Now => count.moved += 1,
                Moved::Before => count.before += 1,
                Moved::Differs => {
                    count.differ += 1;
                    // Its name is its owner's business: a digest finds it again.
                    let digest: String = record.digest()?.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                    tracing::warn!(digest, turns = record.turns.len(), "a session is another one there");
                    after = number;
                    bar.inc(1);
                    continue;
                }
            }
            count.turns += record.turns.len() as u64;
            after = number;
            bar.inc(1);
        }
        Ok(())
    }

    /// On a terminal; elsewhere the last line says enough.
    fn bar(sessions: u64) -> ProgressBar {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(sessions) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("sessions {wide_bar} {human_pos}/{human_len} {eta}") {
            bar.set_style(style);
        }
        bar
    }

    fn failed<T>(why: impl Into<String>) -> Result<T, StartError> {
        Err(StartError::Command(why.into()))
    }
}

#[cfg(feature = "redis")]
pub(super) use to_redis::run;

/// Says that there is nowhere to move to.
///
/// # Errors
/// Always.
#[cfg(not(feature = "redis"))]
pub(super) async fn run(
    _settings: &crate::settings::Settings,
    _args: &crate::args::MigrateArgs,
) -> Result<(), crate::start::StartError> {
    Err(crate::start::StartError::Command("this build has no Redis".to_owned()))
}
