use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use secrecy::ExposeSecret;
use tempfile::TempDir;
use tracing::level_filters::LevelFilter;

use super::*;

mod example;
mod keys;
mod providers;
#[cfg(feature = "redis")]
mod redis;
mod remotes;

/// A working directory and an environment of its own.
struct Place {
    directory: TempDir,
    env: BTreeMap<String, String>,
    args: Args,
}

impl Place {
    fn new() -> Self {
        let env = [("HOME", "/home/learner")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { directory: TempDir::new().unwrap(), env: env.into(), args: Args::default() }
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    fn toml(self, text: &str) -> Self {
        self.file("hitesh.toml", text)
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Settings, SettingsError> {
        Settings::load_in(self.directory.path(), &self.args, &self.env)
    }

    fn settings(&self) -> Settings {
        self.load().unwrap()
    }

    /// Each mistake as a line, without the name of the directory.
    fn mistakes(&self) -> Vec<String> {
        let directory = format!("{}/", self.directory.path().display());
        let error = self.load().map(|_| ()).unwrap_err();
        error.mistakes().iter().map(|mistake| mistake.to_string().replace(&directory, "")).collect()
    }
}

#[test]
fn without_anything_the_defaults_hold() {
    let settings = Place::new().settings();
    assert_eq!(settings.server.address().to_string(), "127.0.0.1:8000");
    assert_eq!(settings.server.body_timeout, Duration::from_secs(10));
    assert_eq!(settings.log, LogSettings { level: LogLevel::parse("info").unwrap(), format: LogFormat::Text });
    assert!(settings.auth.keys.is_empty() && settings.auth.admin_key.is_none());
    assert_eq!((settings.limits.rate(), settings.limits.max_in_flight, settings.limits.session_turns), (None, 4096, 4));
    assert_eq!(settings.cors.allowed_origins, AllowedOrigins::Any);
    let cache = CacheSettings { enabled: true, ttl: Duration::from_secs(3600), max_bytes: 64 << 20 };
    assert_eq!(settings.cache, cache);
    let database = PathBuf::from("/home/learner/.local/share/hitesh-ai/sessions.db");
    let file = Some(database.clone());
    assert_eq!(settings.sessions, SessionsSettings { place: SessionsPlace::File(database), file, retention: None });
    assert_eq!((settings.turns.disconnect_grace, settings.turns.max_history_messages), (Duration::from_secs(15), 10));
    assert_eq!(settings.turns.on_disconnect, OnDisconnect::Stop);
    assert_eq!(settings.page, PageSettings { sharing: false });
    assert_eq!(settings.persona.default.as_str(), "hitesh");
    assert_eq!(settings.local.models_directory, PathBuf::from("/home/learner/.cache/hitesh-ai/models"));
    assert!(settings.warnings().is_empty());
}

#[test]
fn a_file_goes_before_the_defaults() {
    let settings = Place::new().toml("[server]\nport = 9000").settings();
    assert_eq!((settings.server.port, settings.server.debug), (9000, false));
}

#[test]
fn dot_env_goes_before_the_file() {
    let place = Place::new().toml("[server]\nport = 9000").file(".env", "PORT=9001\n");
    assert_eq!(place.settings().server.port, 9001);
}

#[test]
fn the_environment_goes_before_dot_env() {
    let place = Place::new().file(".env", "HITESH_SERVER__PORT=9001\n").var("PORT", "9002");
    assert_eq!(place.settings().server.port, 9002);
}

#[test]
fn a_name_of_ours_goes_before_an_original_one_of_the_same_layer() {
    let place = Place::new().var("PORT", "9001").var("HITESH_SERVER__PORT", "9002");
    assert_eq!(place.settings().server.port, 9002);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let place = Place::new().file(".env", "PORT=9001\nOPENAI_API_KEY=\n").var("PORT", " ").var("OPENAI_BASE_URL", "");
    let settings = place.settings();
    assert_eq!(settings.server.port, 9001);
    assert!(matches!(settings.providers[0].kind, ProviderKind::Local));
}

#[test]
fn the_process_environment_is_left_alone_by_dot_env() {
    Place::new().file(".env", "HITESH_TURNS__MAX_HISTORY_MESSAGES=3\n").settings();
    assert!(std::env::var_os("HITESH_TURNS__MAX_HISTORY_MESSAGES").is_none());
}

#[test]
fn the_file_can_be_named_by_variable_and_by_argument() {
    let mut place =
        Place::new().toml("server.port = 1").file("a.toml", "server.port = 2").var("HITESH_CONFIG", "a.toml");
    assert_eq!(place.settings().server.port, 2);
    place = place.file("b.toml", "server.port = 3");
    place.args.config = Some("b.toml".into());
    assert_eq!(place.settings().server.port, 3);
}

#[test]
fn a_named_file_that_is_missing_is_a_mistake() {
    let mistakes = Place::new().var("HITESH_CONFIG", "gone.toml").mistakes();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].starts_with("gone.toml: cannot read the file that HITESH_CONFIG names"), "{mistakes:?}");
    let mut place = Place::new();
    place.args.config = Some("gone.toml".into());
    assert!(place.mistakes()[0].starts_with("gone.toml: cannot read the file that --config names"));
}

#[test]
fn each_original_name_is_understood() {
    let settings = Place::new()
        .var("DEBUG", "True")
        .var("LOG_LEVEL", "WARNING")
        .var("HOST", "0.0.0.0")
        .var("PORT", "80")
        .var("ALLOWED_ORIGINS", "https://example.com, http://localhost:3000/")
        .var("ALLOWED_HOSTS", "api.example.com,*.example.org")
        .settings();
    assert!(settings.server.debug);
    assert_eq!(settings.log.level.everything, LevelFilter::WARN);
    assert_eq!(settings.server.address().to_string(), "0.0.0.0:80");
    let origins = ["https://example.com", "http://localhost:3000"].map(str::to_owned);
    assert_eq!(settings.cors.allowed_origins, AllowedOrigins::Listed(origins.into()));
    assert!(settings.server.allowed_hosts[0].admits("api.example.com:80"));
    assert!(settings.server.allowed_hosts[1].admits("a.example.org"));
}

#[test]
#[cfg(not(feature = "redis"))]
fn a_build_without_redis_says_so_when_there_is_an_address() {
    let settings = Place::new().var("REDIS_URL", "redis://:hunter2@redis:6379").settings();
    assert!(settings.redis.is_none());
    assert_eq!(settings.warnings(), ["a Redis address is set, but this build has no Redis"]);
}

#[test]
#[cfg(feature = "redis")]
fn with_a_redis_address_sessions_are_there_unless_the_settings_say_otherwise() {
    let place = || Place::new().var("REDIS_URL", "redis://:hunter2@redis:6379");
    let settings = place().settings();
    assert_eq!(settings.sessions.place, SessionsPlace::Redis);
    assert!(settings.redis.is_some() && settings.warnings().is_empty());
    let file = place().var("HITESH_SESSIONS__BACKEND", "sqlite").settings();
    assert!(matches!(file.sessions.place, SessionsPlace::File(_)));
}

#[test]
fn sessions_in_redis_need_an_address_and_a_prefix_of_plain_characters() {
    let mistakes = Place::new().toml("sessions.backend = \"redis\"\nredis.prefix = \"a{b}\"").mistakes();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].starts_with("redis.prefix (hitesh.toml:2): expected 1 to 64 characters"), "{mistakes:?}");
    assert!(mistakes[1].starts_with("sessions.backend (hitesh.toml:1): needs redis.url"), "{mistakes:?}");
}

#[test]
fn any_scalar_can_be_set_by_a_variable() {
    let settings = Place::new()
        .var("HITESH_SESSIONS__PATH", ":memory:")
        .var("HITESH_SESSIONS__RETENTION_DAYS", "7")
        .var("HITESH_CACHE__TTL_SECONDS", "1.5")
        .var("HITESH_LIMITS__REQUESTS_PER_MINUTE", "60")
        .var("HITESH_TURNS__DISCONNECT_GRACE_SECONDS", "0.25")
        .var("HITESH_LOG__FORMAT", "JSON")
        .var("HITESH_AUTH__ADMIN_KEY", "1234567890")
        .var("HITESH_LIMITS__TRUSTED_PROXIES", "10.0.0.0/8, ::1")
        .var("HITESH_PAGE__SHARING", "true")
        .settings();
    let week = Duration::from_secs(7 * 86_400);
    assert_eq!(settings.sessions, SessionsSettings { place: SessionsPlace::Memory, file: None, retention: Some(week) });
    assert_eq!(settings.cache.ttl, Duration::from_millis(1500));
    assert_eq!(settings.limits.rate().map(|rate| (rate.per_minute.get(), rate.burst.get())), Some((60, 10)));
    assert_eq!(settings.turns.disconnect_grace, Duration::from_millis(250));
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.auth.admin_key.map(|key| key.expose_secret().to_owned()), Some("1234567890".to_owned()));
    assert_eq!(settings.limits.trusted_proxies.len(), 2);
    assert!(settings.page.sharing);
}

#[test]
fn sessions_follow_the_users_data_folder_and_home() {
    let place = |path: &str| Place::new().var("HITESH_SESSIONS__PATH", path).settings().sessions.place;
    assert_eq!(place("~/a.db"), SessionsPlace::File("/home/learner/a.db".into()));
    assert_eq!(place("a.db"), SessionsPlace::File("a.db".into()));
    let xdg = Place::new().var("XDG_DATA_HOME", "/data").settings().sessions.place;
    assert_eq!(xdg, SessionsPlace::File("/data/hitesh-ai/sessions.db".into()));
}

#[test]
fn without_a_home_the_folders_have_to_be_given() {
    let mistakes = Place::new().var("HOME", "").mistakes();
    assert_eq!(
        mistakes,
        [
            "sessions.path: is needed, since neither XDG_DATA_HOME nor HOME is set",
            "local.models_directory: is needed, since neither XDG_CACHE_HOME nor HOME is set",
        ]
    );
}

#[test]
fn every_mistake_is_listed_with_its_place() {
    let mistakes = Place::new()
        .toml(
            r#"
[server]
port = 70000
prot = 8000
debug = "yes"
[cors]
credentials = true
[nonsense]
x = 1
[limits]
trusted_proxies = ["10.0.0.0/8", "ten", 3]
[page]
sharing = "with friends"
shared = true
"#,
        )
        .file(".env", "LOG_LEVEL=loud\n")
        .var("HITESH_CACHE__TTL", "3")
        .var("HITESH_TURNS__MAX_HISTORY_MESSAGES", "ten")
        .var("HITESH_PORT", "8000")
        .var("ALLOWED_HOSTS", "a.example.com,b/c")
        .mistakes();
    let expected = [
        "HITESH_PORT (HITESH_PORT in the environment): there is no such variable: ",
        "server.port (hitesh.toml:3): expected a whole number from 0 to 65535",
        "server.prot (hitesh.toml:4): there is no such setting here; there are: host, port, ",
        "server.debug (hitesh.toml:5): expected true or false, found text",
        "cors.credentials (hitesh.toml:7): needs a list of allowed_origins",
        "nonsense (hitesh.toml:8): there is no such setting here; there are: server, log, ",
        "limits.trusted_proxies[1] (hitesh.toml:11): expected a network or an address",
        "limits.trusted_proxies[2] (hitesh.toml:11): expected text, found a whole number",
        "page.sharing (hitesh.toml:13): expected true or false, found text",
        "page.shared (hitesh.toml:14): there is no such setting here; there are: sharing",
        "log.level (LOG_LEVEL in .env): expected off, error, ",
        "cache.ttl (HITESH_CACHE__TTL in the environment): there is no such setting here; there are: enabled, ",
        "turns.max_history_messages (HITESH_TURNS__MAX_HISTORY_MESSAGES in the environment): expected a whole number",
        "server.allowed_hosts[1] (ALLOWED_HOSTS in the environment): expected host names",
    ];
    for expected in expected {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(expected)), "{expected}\nin {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
}

#[test]
fn the_message_has_one_line_for_each_mistake() {
    let error = Place::new().var("PORT", "x").var("DEBUG", "maybe").load().map(|_| ()).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 3);
    assert!(error.to_string().starts_with("the settings have 2 mistakes:\n  "));
}

#[test]
fn what_is_no_toml_is_named_by_its_line_and_never_quoted() {
    let mistakes = Place::new().toml("[auth]\nadmin_key = \"hunter2-unclosed\n").mistakes();
    assert!(mistakes.iter().any(|mistake| mistake.starts_with("TOML (hitesh.toml:2): ")), "{mistakes:#?}");
    assert!(!mistakes.concat().contains("hunter2"), "{mistakes:#?}");
}

#[test]
fn a_wrong_line_of_dot_env_is_named_and_never_quoted() {
    let mistakes = Place::new().file(".env", "PORT=8000\nOPENAI_API_KEY=hunter2 hunter2\n").mistakes();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].starts_with(".env (.env:2): expected NAME=value"), "{mistakes:?}");
}

#[test]
fn a_variable_can_not_change_a_list_of_tables() {
    let place =
        Place::new().toml("[[providers]]\nname = \"a\"\nkind = \"local\"").var("HITESH_PROVIDERS__0__NAME", "b");
    let expected = "providers.0.name (HITESH_PROVIDERS__0__NAME in the environment): no variable reaches there";
    assert!(place.mistakes()[0].starts_with(expected), "{:?}", place.mistakes());
}

#[test]
fn variables_that_kubernetes_makes_are_no_mistake() {
    Place::new()
        .var("HITESH_AI_SERVICE_HOST", "10.0.0.1")
        .var("HITESH_AI_SERVICE_PORT_HTTP", "8000")
        .var("HITESH_AI_PORT", "tcp://10.0.0.1:8000")
        .var("HITESH_AI_PORT_8000_TCP_ADDR", "10.0.0.1")
        .settings();
}
