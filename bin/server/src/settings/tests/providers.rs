use hitesh_domain::StepFormat;
use hitesh_llm::Sampling;

use super::*;

fn remote(provider: &ProviderSettings) -> &Remote {
    match &provider.kind {
        ProviderKind::Remote(remote) => remote,
        ProviderKind::Local => panic!("{} is local", provider.name),
    }
}

/// The address of a provider, and the key that goes there.
fn openai(provider: &ProviderSettings) -> (&str, Option<&str>) {
    let remote = remote(provider);
    (&remote.base_url, remote.api_key.as_ref().map(ExposeSecret::expose_secret))
}

fn names(settings: &Settings) -> Vec<&str> {
    settings.providers.iter().map(|provider| provider.name.as_str()).collect()
}

#[test]
fn the_local_model_answers_when_nothing_is_set() {
    let settings = Place::new().settings();
    let [provider] = settings.providers.as_slice() else { panic!("{:?}", settings.providers) };
    assert_eq!((provider.name.as_str(), provider.model.as_str()), ("local", settings.local.model.as_str()));
    assert!(matches!(provider.kind, ProviderKind::Local));
    let seconds = [120, 3, 60, 20, 300].map(Duration::from_secs);
    let Deadlines { queue, connect, first_token, silence, total } = provider.deadlines;
    assert_eq!([queue, connect, first_token, silence, total], seconds);
}

#[test]
fn a_key_chooses_openai() {
    let settings = Place::new().var("OPENAI_API_KEY", "sk-hunter2").settings();
    let [provider] = settings.providers.as_slice() else { panic!("{:?}", settings.providers) };
    assert_eq!((provider.name.as_str(), provider.model.as_str()), ("openai", "gpt-4o-mini"));
    assert_eq!(openai(provider), ("https://api.openai.com/v1", Some("sk-hunter2")));
    assert_eq!(provider.step_format, None);
    let seconds = [5, 3, 15, 20, 30].map(Duration::from_secs);
    let Deadlines { queue, connect, first_token, silence, total } = provider.deadlines;
    assert_eq!([queue, connect, first_token, silence, total], seconds);
}

#[test]
fn an_address_chooses_openai_too_and_needs_no_key() {
    let settings =
        Place::new().file(".env", "OPENAI_BASE_URL=http://127.0.0.1:11434/v1/\nOPENAI_MODEL=qwen2.5:7b\n").settings();
    assert_eq!(openai(&settings.providers[0]), ("http://127.0.0.1:11434/v1", None));
    assert_eq!(settings.providers[0].model, "qwen2.5:7b");
}

#[test]
fn a_model_alone_chooses_nothing() {
    let settings = Place::new().var("OPENAI_MODEL", "gpt-4o").settings();
    assert_eq!(names(&settings), ["local"]);
}

#[test]
fn a_wrong_address_is_named_by_its_variable_and_not_shown() {
    for wrong in ["hunter2", "ftp://hunter2/v1", "http://me:hunter2@host/v1", "http://host/v1?key=hunter2"] {
        let mistakes = Place::new().var("OPENAI_BASE_URL", wrong).mistakes();
        assert!(mistakes[0].starts_with("OPENAI_BASE_URL (OPENAI_BASE_URL in the environment): "), "{mistakes:?}");
        assert!(!mistakes.concat().contains("hunter2"), "{mistakes:?}");
    }
}

#[test]
fn a_list_keeps_its_order_and_leaves_out_what_is_switched_off() {
    let settings = Place::new()
        .toml(
            r#"
[[providers]]
name = "ollama"
kind = "openai"
base_url = "http://127.0.0.1:11434/v1"
model = "qwen2.5:7b"
step_format = "tagged"
temperature = 0.3
top_p = 1
max_tokens = 700
deadlines = { first_token_seconds = 40, total_seconds = 90.5 }
[[providers]]
name = "off"
kind = "openai"
api_key_env = "UNSET_SO_FAR"
enabled = false
[[providers]]
name = "here"
kind = "local"
model = "~/own.gguf"
"#,
        )
        .settings();
    assert_eq!(names(&settings), ["ollama", "here"]);
    let [ollama, here] = settings.providers.as_slice() else { panic!("{:?}", settings.providers) };
    assert_eq!(ollama.step_format, Some(StepFormat::Tagged));
    assert_eq!(ollama.sampling, Sampling { temperature: Some(0.3), top_p: Some(1.0), max_tokens: Some(700) });
    assert_eq!(ollama.deadlines.first_token, Duration::from_secs(40));
    assert_eq!(ollama.deadlines.total, Duration::from_millis(90_500));
    assert_eq!(ollama.deadlines.connect, Duration::from_secs(3));
    assert_eq!(here.model, "/home/learner/own.gguf");
}

#[test]
fn a_list_makes_the_openai_variables_ignored_with_a_warning() {
    let place = Place::new()
        .toml("[[providers]]\nname = \"here\"\nkind = \"local\"")
        .var("OPENAI_API_KEY", "sk-hunter2")
        .var("OPENAI_MODEL", "gpt-4o");
    let settings = place.settings();
    assert_eq!(names(&settings), ["here"]);
    assert_eq!(settings.warnings(), ["the settings list providers: ignored are OPENAI_API_KEY, OPENAI_MODEL"]);
}

#[test]
fn a_variable_that_the_list_uses_is_not_ignored() {
    let list = "[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key_env = \"OPENAI_API_KEY\"";
    let settings = Place::new().toml(list).var("OPENAI_API_KEY", "sk-hunter2").settings();
    assert_eq!(openai(&settings.providers[0]).1, Some("sk-hunter2"));
    assert!(settings.warnings().is_empty());
}

#[test]
fn a_list_of_which_all_is_off_warns() {
    let settings = Place::new().toml("[[providers]]\nname = \"a\"\nkind = \"local\"\nenabled = false").settings();
    assert_eq!(settings.warnings(), ["no provider is enabled: nothing can answer"]);
    assert!(settings.providers.is_empty());
}

#[test]
fn every_mistake_of_a_list_is_found() {
    let mistakes = Place::new()
        .toml(
            r#"
[[providers]]
kind = "openai"
[[providers]]
name = "a"
[[providers]]
name = "a"
kind = "local"
api_key = "hunter2"
base_url = "http://hunter2"
[[providers]]
name = "c"
kind = "gemini"
modell = "x"
[[providers]]
name = "d"
kind = "openai"
base_url = "localhost:11434"
temperature = 3
max_tokens = 0
deadlines.total_seconds = "long"
[[providers]]
name = "e"
kind = "openai"
api_key_file = "gone.key"
step_format = "xml"
model = ""
"#,
        )
        .mistakes();
    let expected = [
        "providers[0] (hitesh.toml:2): has no name",
        "providers[1] (hitesh.toml:4): has no kind",
        "providers[2].name (hitesh.toml:7): there is a provider of this name already",
        "providers[2].api_key (hitesh.toml:9): a local model has none",
        "providers[2].base_url (hitesh.toml:10): a local model has none",
        "providers[3].kind (hitesh.toml:13): expected one of: openai, azure, anthropic, local",
        "providers[3].modell (hitesh.toml:14): there is no such setting here; there are: name, preset, kind, ",
        "providers[4].base_url (hitesh.toml:18): expected an address like ",
        "providers[4].temperature (hitesh.toml:19): expected a number from 0 to 2",
        "providers[4].max_tokens (hitesh.toml:20): expected a whole number from 1 to 1000000",
        "providers[4].deadlines.total_seconds (hitesh.toml:21): expected a number of seconds from 0.01 to 3600",
        "providers[5].api_key_file (hitesh.toml:25): cannot read the file",
        "providers[5].step_format (hitesh.toml:26): expected one of: json_schema, json_object, tagged",
        "providers[5].model (hitesh.toml:27): the model has no name",
    ];
    for expected in expected {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(expected)), "{expected}\nin {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
}
