use std::sync::LazyLock;

use hitesh_domain::StepFormat;
use serde::Deserialize;

use super::MaxTokensField;

/// A server that is known by name: what an operator would have to look up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is called by.
    pub name: String,
    /// Which protocol it is asked by.
    #[serde(default)]
    pub kind: PresetKind,
    /// The root of its API.
    pub base_url: String,
    /// The variable that usually holds its key. It was set for `base_url`: its value goes nowhere else. `None`: a
    /// server on the operator's own machine, which needs no key.
    pub key_variable: Option<String>,
    /// The end of its hosts' names.
    pub(super) host: Option<String>,
    /// How its models mark steps best.
    pub step_format: StepFormat,
    /// Under which name it takes the longest answer.
    #[serde(default)]
    pub max_tokens_field: MaxTokensField,
    /// Whether it takes `stream_options.include_usage`.
    #[serde(default)]
    pub stream_options: bool,
    /// Whether it pads its events unless it is told not to.
    #[serde(default)]
    pub obfuscates: bool,
    /// Whether it lists its models to everybody, so that the list says nothing of a key.
    #[serde(default)]
    pub(super) public_list: bool,
    /// The longest answer, in tokens, unless one is set.
    pub max_tokens: Option<u32>,
}

/// The protocol of a preset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresetKind {
    /// OpenAI's chat completions API.
    #[default]
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetFile {
    preset: Vec<Preset>,
}

/// Without its presets the server would still know what is written out in the settings.
static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| parse().map(|file| file.preset).unwrap_or_default());

fn parse() -> Result<PresetFile, toml::de::Error> {
    toml::from_str(include_str!("../../presets.toml"))
}

impl Preset {
    /// All of them.
    pub fn all() -> &'static [Preset] {
        &PRESETS
    }

    /// The one of that name.
    pub fn find(name: &str) -> Option<&'static Preset> {
        Self::all().iter().find(|preset| preset.name == name)
    }

    /// The server at `host`, if it speaks OpenAI's API.
    pub(super) fn at(host: &str) -> Option<&'static Preset> {
        let is_at = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let mut known = Self::all().iter().filter(|preset| preset.kind == PresetKind::OpenAi);
        known.find(|preset| preset.host.as_deref().is_some_and(is_at))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hitesh_domain::ProviderId;

    use super::*;
    use crate::http::BaseUrl;

    #[test]
    fn all_presets_can_be_read() {
        let read = parse().map(|file| file.preset.len()).map_err(|error| error.to_string());
        assert_eq!(read, Ok(Preset::all().len()));
        assert!(!Preset::all().is_empty());
    }

    #[test]
    fn each_has_a_name_of_its_own_that_can_be_a_providers() {
        let names: BTreeSet<_> = Preset::all().iter().map(|preset| &preset.name).collect();
        assert_eq!(names.len(), Preset::all().len());
        assert!(names.into_iter().all(|name| ProviderId::try_from(name.as_str()).is_ok()));
    }

    #[test]
    fn each_is_asked_over_tls_with_a_key_or_on_this_machine_without_one() {
        for preset in Preset::all() {
            let url = BaseUrl::parse(&preset.base_url).unwrap();
            assert_eq!(url.as_str(), preset.base_url, "{}", preset.name);
            assert_eq!(url.is_https(), preset.key_variable.is_some(), "{}", preset.name);
            assert!(url.is_https() || url.host() == "127.0.0.1", "{}", preset.name);
        }
    }

    #[test]
    fn each_is_known_by_the_host_of_its_address() {
        for preset in Preset::all().iter().filter(|preset| preset.host.is_some()) {
            let url = BaseUrl::parse(&preset.base_url).unwrap();
            assert_eq!(Preset::at(url.host()), Some(preset));
        }
    }
}
