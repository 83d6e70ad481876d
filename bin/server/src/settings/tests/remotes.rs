//! Providers that are asked over HTTP: kinds, presets, keys, proxies and prices.

use hitesh_llm::{Prices, openai::Preset};

use super::*;

fn remote(provider: &ProviderSettings) -> &Remote {
    match &provider.kind {
        ProviderKind::Remote(remote) => remote,
        ProviderKind::Local => panic!("{} is local", provider.name),
    }
}

fn key(provider: &ProviderSettings) -> Option<&str> {
    remote(provider).api_key.as_ref().map(ExposeSecret::expose_secret)
}

/// The mistakes of one provider.
fn mistakes(provider: &str) -> Vec<String> {
    Place::new().toml(&format!("[[providers]]\n{provider}")).mistakes()
}

#[test]
fn a_preset_needs_only_a_model_and_the_variable_of_its_key() {
    let list = "[[providers]]\npreset = \"groq\"\nmodel = \"llama-3.3-70b-versatile\"";
    let settings = Place::new().toml(list).var("GROQ_API_KEY", "gsk-hunter2\n").settings();
    let [provider] = settings.providers.as_slice() else { panic!("{:?}", settings.providers) };
    assert_eq!(provider.name.as_str(), "groq");
    let Remote { protocol, base_url, .. } = remote(provider);
    assert_eq!(*protocol, Protocol::OpenAi { preset: Preset::find("groq") });
    assert_eq!((base_url.as_str(), key(provider)), ("https://api.groq.com/openai/v1", Some("gsk-hunter2")));
}

#[test]
fn a_preset_says_its_kind() {
    let list = "[[providers]]\npreset = \"Anthropic\"\nname = \"claude\"\nmodel = \"claude-haiku-4-5\"";
    let settings = Place::new().toml(list).var("ANTHROPIC_API_KEY", "sk-hunter2").settings();
    let provider = &settings.providers[0];
    assert_eq!((provider.name.as_str(), &remote(provider).protocol), ("claude", &Protocol::Anthropic));
}

#[test]
fn a_preset_of_this_machine_needs_no_key() {
    let settings = Place::new().toml("[[providers]]\npreset = \"ollama\"\nmodel = \"qwen2.5:7b\"").settings();
    let provider = &settings.providers[0];
    assert_eq!((remote(provider).base_url.as_str(), key(provider)), ("http://127.0.0.1:11434/v1", None));
}

#[test]
fn a_presets_key_never_follows_another_address() {
    for url in ["http://127.0.0.1:9000/v1", "https://api.groq.com.example.org/openai/v1", "https://api.groq.com"] {
        let list = format!("[[providers]]\npreset = \"groq\"\nmodel = \"m\"\nbase_url = \"{url}\"");
        let settings = Place::new().toml(&list).var("GROQ_API_KEY", "gsk-hunter2").settings();
        assert_eq!(key(&settings.providers[0]), None, "{url}");
    }
}

#[test]
fn a_presets_own_address_written_out_is_still_its_own() {
    let list = "[[providers]]\npreset = \"groq\"\nmodel = \"m\"\nbase_url = \"https://api.groq.com/openai/v1/\"";
    let settings = Place::new().toml(list).var("GROQ_API_KEY", "gsk-hunter2").settings();
    assert_eq!(key(&settings.providers[0]), Some("gsk-hunter2"));
}

#[test]
fn a_key_that_is_given_goes_before_that_of_the_preset() {
    let list = "[[providers]]\npreset = \"groq\"\nmodel = \"m\"\napi_key_env = \"MINE\"";
    let place = Place::new().toml(list).var("GROQ_API_KEY", "gsk-other").var("MINE", "gsk-hunter2");
    assert_eq!(key(&place.settings().providers[0]), Some("gsk-hunter2"));
}

#[test]
fn a_preset_without_its_key_names_the_variable() {
    let expected =
        ["providers[0] (hitesh.toml:1): has no key: set the variable GROQ_API_KEY, or give api_key".to_owned()];
    assert_eq!(mistakes("preset = \"groq\"\nmodel = \"m\""), expected);
}

#[test]
fn a_preset_that_is_switched_off_waits_for_its_key() {
    let list = "[[providers]]\npreset = \"groq\"\nmodel = \"m\"\nenabled = false";
    assert!(Place::new().toml(list).settings().providers.is_empty());
}

#[test]
fn the_variable_that_a_preset_reads_is_not_called_ignored() {
    let list = "[[providers]]\npreset = \"openai\"\nmodel = \"gpt-4o-mini\"";
    let place = Place::new().toml(list).var("OPENAI_API_KEY", "sk-hunter2").var("OPENAI_BASE_URL", "http://other/v1");
    let settings = place.settings();
    assert_eq!(settings.warnings(), ["the settings list providers: ignored are OPENAI_BASE_URL"]);
    let provider = &settings.providers[0];
    assert_eq!((remote(provider).base_url.as_str(), key(provider)), ("https://api.openai.com/v1", Some("sk-hunter2")));
}

#[test]
fn azure_is_its_endpoint_its_deployment_and_a_version() {
    let list = "[[providers]]\nname = \"azure\"\nkind = \"azure\"\nbase_url = \"https://mine.openai.azure.com/\"\n\
                model = \"chai\"\napi_key = \"hunter2\"";
    let settings = Place::new().toml(list).settings();
    let provider = &settings.providers[0];
    let protocol = Protocol::Azure { api_version: "2024-10-21".to_owned() };
    assert_eq!((&remote(provider).protocol, key(provider)), (&protocol, Some("hunter2")));
    assert_eq!(
        (remote(provider).base_url.as_str(), provider.model.as_str()),
        ("https://mine.openai.azure.com", "chai")
    );
}

#[test]
fn what_a_kind_lacks_or_has_not_is_a_mistake() {
    let rows = [
        (
            "preset = \"gemeni\"",
            "providers[0].preset (hitesh.toml:2): expected one of: openai, anthropic, gemini, groq, ",
        ),
        ("preset = \"ollama\"", "providers[0] (hitesh.toml:1): has no model"),
        ("preset = \"ollama\"\nkind = \"local\"", "providers[0].kind (hitesh.toml:3): this preset is of another kind"),
        ("name = \"a\"\nkind = \"anthropic\"", "providers[0] (hitesh.toml:1): has no model"),
        (
            "name = \"a\"\nkind = \"anthropic\"\nmodel = \"m\"\nstep_format = \"json_schema\"",
            "providers[0].step_format (hitesh.toml:5): kind anthropic takes tagged only",
        ),
        (
            "name = \"a\"\nkind = \"anthropic\"\nmodel = \"m\"\ntemperature = 1.5",
            "providers[0].temperature (hitesh.toml:5): kind anthropic takes a number from 0 to 1",
        ),
        (
            "name = \"a\"\nkind = \"azure\"\nmodel = \"m\"",
            "providers[0] (hitesh.toml:1): has no base_url: give the endpoint of the resource",
        ),
        (
            "name = \"a\"\nkind = \"azure\"\nbase_url = \"https://mine.example.org\"",
            "providers[0] (hitesh.toml:1): has no model: give the name of its deployment",
        ),
        (
            "name = \"a\"\nkind = \"openai\"\napi_version = \"2024-10-21\"",
            "providers[0].api_version (hitesh.toml:4): only kind azure has one",
        ),
        (
            "name = \"a\"\nkind = \"local\"\nproxy = \"http://proxy\"",
            "providers[0].proxy (hitesh.toml:4): a local model has none",
        ),
        (
            "name = \"a\"\nkind = \"openai\"\nmax_in_flight = 0",
            "providers[0].max_in_flight (hitesh.toml:4): expected a whole number from 1 to 100000",
        ),
        (
            "name = \"a\"\nkind = \"openai\"\nprices = { prompt = -1, completion = 1 }",
            "providers[0].prices.prompt (hitesh.toml:4): expected a number of at least 0",
        ),
        (
            "name = \"a\"\nkind = \"openai\"\nprices = { prompt = 1 }",
            "providers[0].prices.completion (hitesh.toml:4): is missing",
        ),
    ];
    for (provider, expected) in rows {
        let mistakes = mistakes(provider);
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(expected)), "{expected}\nin {mistakes:#?}");
    }
}

#[test]
fn a_proxy_that_makes_no_sense_is_named_and_not_shown() {
    for proxy in ["hunter2", "socks5://hunter2:1080", "http://me:hunter2@proxy/path"] {
        let mistakes = mistakes(&format!("name = \"a\"\nkind = \"openai\"\nproxy = \"{proxy}\""));
        assert!(mistakes[0].starts_with("providers[0].proxy (hitesh.toml:4): "), "{mistakes:?}");
        assert!(!mistakes.concat().contains("hunter2"), "{mistakes:?}");
    }
}

#[test]
fn a_proxys_password_is_in_no_debug_form() {
    let list = "[[providers]]\nname = \"a\"\nkind = \"openai\"\nproxy = \"http://me:hunter2@proxy:3128\"";
    let settings = Place::new().toml(list).settings();
    assert!(remote(&settings.providers[0]).proxy.is_some());
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn cached_tokens_cost_as_much_as_others_unless_their_price_is_given() {
    let rows = [
        (
            "{ prompt = 0.15, cached = 0.075, completion = 0.6 }",
            Prices { prompt: 0.15, cached: 0.075, completion: 0.6 },
        ),
        ("{ prompt = 3, completion = 15 }", Prices { prompt: 3.0, cached: 3.0, completion: 15.0 }),
    ];
    for (prices, expected) in rows {
        let list = format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\nmax_in_flight = 8\nprices = {prices}");
        let settings = Place::new().toml(&list).settings();
        assert_eq!((settings.providers[0].prices, settings.providers[0].max_in_flight), (Some(expected), Some(8)));
    }
}

#[test]
fn providers_are_equal_until_a_reload_changes_one_of_their_settings() {
    let read = |more: &str, key: &str| {
        let list = format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key_env = \"KEY\"\n{more}");
        Place::new().toml(&list).var("KEY", key).settings().providers
    };
    let before = read("", "one");
    assert_eq!(before, read("", "one"));
    let changed = [
        ("", "another"),
        ("proxy = \"http://proxy\"", "one"),
        ("model = \"gpt-4o\"", "one"),
        ("base_url = \"http://host/v1\"", "one"),
        ("max_in_flight = 1", "one"),
        ("deadlines.total_seconds = 9", "one"),
        ("prices = { prompt = 1, completion = 1 }", "one"),
    ];
    for (more, key) in changed {
        assert_ne!(before, read(more, key), "{more} {key}");
    }
}

#[test]
fn instances_share_what_they_find_of_providers_on_other_machines() {
    let shared = |url: &str, more: &str| {
        let list =
            format!("[[providers]]\nname = \"p\"\nkind = \"openai\"\nmodel = \"m\"\nbase_url = \"{url}\"\n{more}");
        Place::new().toml(&list).settings().providers[0].share_breaker
    };
    for url in ["https://api.example.com/v1", "http://10.0.0.7:8000/v1", "http://[2001:db8::1]/v1"] {
        assert!(shared(url, ""), "{url}");
        assert!(!shared(url, "share_breaker = false"), "{url}");
    }
    for url in ["http://127.0.0.1:11434/v1", "http://localhost:8080/v1", "http://[::1]:8080/v1"] {
        assert!(!shared(url, ""), "{url}");
        assert!(shared(url, "share_breaker = true"), "{url}");
    }
    let local = mistakes("name = \"l\"\nkind = \"local\"\nshare_breaker = true");
    assert!(local.iter().any(|mistake| mistake.contains("a local model has none")), "{local:?}");
}
