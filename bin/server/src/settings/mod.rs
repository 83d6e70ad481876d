//! Settings: read once, at the start, from built-in defaults, a file, `.env` and the environment, each over the
//! one before it. Wrong settings are listed all at once, each with the place where it was written.
//!
//! Only this module reads the environment.

mod auth;
mod cache;
mod cors;
mod env;
mod error;
mod hosts;
mod layers;
mod limits;
mod local;
mod log;
mod origin;
mod page;
mod persona;
pub mod provider;
mod read;
mod redis;
mod resolve;
mod server;
mod sessions;
#[cfg(test)]
mod tests;
mod tree;
mod turns;
mod values;
mod vars;

use std::path::Path;

use serde::Deserialize;

pub use self::{
    auth::{ApiKey, AuthSettings},
    cache::CacheSettings,
    cors::{AllowedOrigins, CorsSettings},
    env::{EnvSource, ProcessEnv},
    error::{Mistake, SettingsError},
    hosts::AllowedHost,
    limits::{LimitsSettings, Rate},
    local::LocalModelSettings,
    log::{LogFormat, LogLevel, LogSettings},
    origin::Origin,
    page::PageSettings,
    persona::PersonaSettings,
    provider::{Deadlines, Protocol, ProviderKind, ProviderSettings, Remote},
    redis::RedisSettings,
    server::ServerSettings,
    sessions::{SessionsPlace, SessionsSettings},
    turns::{OnDisconnect, TurnsSettings},
};
use self::{error::Mistakes, resolve::Resolve, vars::Vars};
use crate::args::Args;

/// All settings, valid as a whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listening socket.
    pub server: ServerSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Who may ask.
    pub auth: AuthSettings,
    /// How much may be asked.
    pub limits: LimitsSettings,
    /// Which web pages may call.
    pub cors: CorsSettings,
    /// The response cache.
    pub cache: CacheSettings,
    /// Where sessions are kept.
    pub sessions: SessionsSettings,
    /// How a turn goes on.
    pub turns: TurnsSettings,
    /// What the chat page offers.
    pub page: PageSettings,
    /// Who answers.
    pub persona: PersonaSettings,
    /// The model in this process.
    pub local: LocalModelSettings,
    /// Whom to ask, in this order.
    pub providers: Vec<ProviderSettings>,
    /// The Redis that instances share; without one this process is alone.
    pub redis: Option<RedisSettings>,
    warnings: Vec<String>,
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    server: ServerSettings,
    log: LogSettings,
    auth: auth::AuthForm,
    limits: LimitsSettings,
    cors: CorsSettings,
    cache: CacheSettings,
    sessions: sessions::SessionsForm,
    turns: TurnsSettings,
    page: PageSettings,
    persona: persona::PersonaForm,
    local: local::LocalForm,
    redis: redis::RedisForm,
    providers: Option<Vec<Option<provider::ProviderForm>>>,
}

impl Settings {
    /// Reads the settings; files are looked for in the working directory.
    ///
    /// # Errors
    /// With every mistake that they have.
    pub fn load(args: &Args, env: &dyn EnvSource) -> Result<Self, SettingsError> {
        Self::load_in(Path::new(""), args, env)
    }

    /// Like [`Settings::load`], with another directory to look for files in, and to read relative names of files
    /// from.
    ///
    /// # Errors
    /// With every mistake that they have.
    pub fn load_in(directory: &Path, args: &Args, env: &dyn EnvSource) -> Result<Self, SettingsError> {
        let mut mistakes = Mistakes::default();
        let vars = Vars::read(env, directory, &mut mistakes);
        let defaults = layers::defaults(&mut mistakes);
        let written = layers::merged(&defaults, args.config.as_deref(), directory, &vars, &mut mistakes);
        let mut tree = written.clone();
        let Some(form) = read::read::<Form>(&mut tree, &defaults, &mut mistakes) else {
            return mistakes.into_result(None);
        };
        let mut resolve = Resolve { tree: &written, vars: &vars, mistakes, warnings: Vec::new(), directory };
        let settings = form.resolve(&mut resolve);
        resolve.mistakes.into_result(Some(Self { warnings: resolve.warnings, ..settings }))
    }

    /// What is worth a line in the log at the start, each a sentence for the operator.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Form {
    fn resolve(self, at: &mut Resolve<'_>) -> Settings {
        self.cors.check(at);
        let auth = self.auth.resolve(at);
        let has_redis = cfg!(feature = "redis") && self.redis.is_named();
        let redis = self.redis.resolve(at);
        let sessions = self.sessions.resolve(has_redis, at);
        let persona = self.persona.resolve(at);
        let local = self.local.resolve(at);
        let providers = provider::resolve(self.providers, &local.model, at);
        Settings {
            server: self.server,
            log: self.log,
            auth,
            limits: self.limits,
            cors: self.cors,
            cache: self.cache,
            sessions,
            turns: self.turns,
            page: self.page,
            persona,
            local,
            providers,
            redis,
            warnings: Vec::new(),
        }
    }
}
