use std::path::PathBuf;

use serde::Deserialize;

use super::{resolve::Resolve, values};

/// The model in this process.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalModelSettings {
    /// Which one, when a provider does not say: a name of the catalog, or the path of a GGUF file.
    pub model: String,
    /// Where pulled models are kept.
    pub models_directory: PathBuf,
    /// Threads that compute; none: one for each core that this process may use.
    pub threads: Option<usize>,
    /// The context window, prompt and answer together.
    pub context_tokens: u32,
    /// Questions that are answered at once.
    pub parallel: usize,
    /// Sessions whose last turn stays computed, so that the next one begins at once.
    pub kept_sessions: usize,
    /// Prompt tokens computed at once; none: found by measuring.
    pub prefill_tokens: Option<usize>,
    /// Questions that may wait while others are answered.
    pub queue: usize,
    /// How much a word that was just said is held back; 1 is not at all.
    pub repetition_penalty: f32,
    /// Tokens in a row that an answer may repeat of the persona's examples and rules; 0: no limit.
    pub longest_echo: usize,
    /// The longest `analyze`, in tokens.
    pub analyze_tokens: usize,
    /// The longest `think`, in tokens.
    pub think_tokens: usize,
    /// The longest `output`, in tokens.
    pub output_tokens: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LocalForm {
    model: String,
    models_directory: Option<String>,
    #[serde(default, deserialize_with = "values::maybe_within::<_, _, 1, 512>")]
    threads: Option<usize>,
    #[serde(deserialize_with = "values::within::<_, _, 512, 131_072>")]
    context_tokens: u32,
    #[serde(deserialize_with = "values::within::<_, _, 1, 16>")]
    parallel: usize,
    #[serde(deserialize_with = "values::within::<_, _, 0, 32>")]
    kept_sessions: usize,
    #[serde(default, deserialize_with = "values::maybe_within::<_, _, 1, 512>")]
    prefill_tokens: Option<usize>,
    #[serde(deserialize_with = "values::within::<_, _, 0, 10_000>")]
    queue: usize,
    #[serde(deserialize_with = "values::number::<_, 1, 2>")]
    repetition_penalty: f32,
    #[serde(deserialize_with = "values::within::<_, _, 0, 1_000>")]
    longest_echo: usize,
    #[serde(deserialize_with = "values::within::<_, _, 8, 8_192>")]
    analyze_tokens: usize,
    #[serde(deserialize_with = "values::within::<_, _, 8, 8_192>")]
    think_tokens: usize,
    #[serde(deserialize_with = "values::within::<_, _, 8, 32_768>")]
    output_tokens: usize,
}

impl LocalForm {
    pub(super) fn resolve(self, at: &mut Resolve<'_>) -> LocalModelSettings {
        let models_directory = match self.models_directory {
            Some(directory) => at.path(&directory),
            None => match at.user_folder("XDG_CACHE_HOME", ".cache") {
                Some(folder) => folder.join("models"),
                None => {
                    let problem = "is needed, since neither XDG_CACHE_HOME nor HOME is set";
                    at.mistake(&["local", "models_directory"], problem);
                    PathBuf::new()
                }
            },
        };
        LocalModelSettings {
            model: at.model(&self.model),
            models_directory,
            threads: self.threads,
            context_tokens: self.context_tokens,
            parallel: self.parallel,
            kept_sessions: self.kept_sessions,
            prefill_tokens: self.prefill_tokens,
            queue: self.queue,
            repetition_penalty: self.repetition_penalty,
            longest_echo: self.longest_echo,
            analyze_tokens: self.analyze_tokens,
            think_tokens: self.think_tokens,
            output_tokens: self.output_tokens,
        }
    }
}
