use async_trait::async_trait;
use futures::{StreamExt, stream};
use hitesh_domain::{ProviderId, Status, StepFormat, Usage};
use hitesh_llm::{CompletionRequest, DeltaStream, FinishReason, Provider, ProviderError, ProviderEvent, Sampling};

/// What the model does with every question.
#[derive(Debug, Clone, Copy)]
pub(super) enum Script {
    /// A whole answer.
    Whole,
    /// Breaks off within the output.
    Cut,
    /// Says nothing, and breaks off.
    Silent,
    /// Refuses the credentials.
    Unauthorized,
    /// Thinks, then waits for ever.
    Hanging,
    /// Waits for ever in a queue.
    Queued,
}

#[derive(Debug)]
pub(super) struct ScriptedModel {
    id: ProviderId,
    sampling: Sampling,
    script: Script,
}

impl ScriptedModel {
    pub(super) fn new(script: Script) -> Self {
        Self { id: "scripted".parse().unwrap(), sampling: Sampling::default(), script }
    }
}

const WHOLE: &[&str] = &[
    "<analyze>Acha",
    " sawaal</analyze>",
    "<think>Chai jaisa</think>",
    "<output>Pehle ",
    "Node seekho ☕",
    "</output>",
];
const CUT: &[&str] = &["<analyze>Acha</analyze><think>Hmm</think>", "<output>Pehle"];
const THOUGHT: &[&str] = &["<analyze>Acha</analyze>", "<think>Hm"];

#[async_trait]
impl Provider for ScriptedModel {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn model(&self) -> &str {
        "scripted-1"
    }

    fn step_format(&self) -> StepFormat {
        StepFormat::Tagged
    }

    fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn stream(&self, _: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        let said = |pieces: &'static [&'static str]| {
            stream::iter(pieces.iter().map(|piece| Ok(ProviderEvent::Delta((*piece).to_owned()))))
        };
        let usage = Usage { prompt_tokens: 900, completion_tokens: 80, cached_tokens: 0 };
        let end = [Ok(ProviderEvent::Finish(FinishReason::Stop)), Ok(ProviderEvent::Usage(usage))];
        Ok(match self.script {
            Script::Whole => said(WHOLE).chain(stream::iter(end)).boxed(),
            Script::Cut => said(CUT).boxed(),
            Script::Silent => said(&[]).boxed(),
            Script::Unauthorized => return Err(ProviderError::Unauthorized),
            Script::Hanging => said(THOUGHT).chain(stream::pending()).boxed(),
            Script::Queued => {
                stream::iter([Ok(ProviderEvent::Status(Status::Queued { position: 2, wait_seconds: None }))])
                    .chain(stream::pending())
                    .boxed()
            }
        })
    }
}
