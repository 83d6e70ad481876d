use hitesh_cache::CacheKey;
use hitesh_domain::{Message, Owner, PersonaId, ProviderId, Scaffold, StepFormat};
use hitesh_llm::Sampling;
use unicode_normalization::UnicodeNormalization;

/// Everything that an answer depends on.
#[derive(Debug)]
pub(crate) struct KeyParts<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) persona: &'a PersonaId,
    pub(crate) persona_hash: &'a [u8; 32],
    pub(crate) provider: &'a ProviderId,
    pub(crate) model: &'a str,
    pub(crate) sampling: &'a Sampling,
    pub(crate) step_format: StepFormat,
    pub(crate) messages: &'a [Message],
    pub(crate) scaffold: &'a Scaffold,
}

/// Changes whenever the encoding below or the stored form of an answer does.
const VERSION: &[u8] = b"hitesh-ai answer 3";

impl KeyParts<'_> {
    /// BLAKE3 over a length-prefixed encoding of all parts. Two parts can't be confused with each other, and a part
    /// that is added can't be forgotten here.
    pub(crate) fn digest(&self) -> CacheKey {
        let Self { owner, persona, persona_hash, provider, model, sampling, step_format, messages, scaffold } = self;
        let Sampling { temperature, top_p, max_tokens } = sampling;
        let mut hasher = Fields(blake3::Hasher::new());
        hasher.field(VERSION);
        hasher.field(owner.as_str().as_bytes());
        hasher.field(persona.as_str().as_bytes());
        hasher.field(*persona_hash);
        hasher.field(provider.as_str().as_bytes());
        hasher.field(model.as_bytes());
        hasher.optional(temperature.map(f32::to_bits));
        hasher.optional(top_p.map(f32::to_bits));
        hasher.optional(*max_tokens);
        hasher.field(step_format.as_str().as_bytes());
        let Scaffold { openings, closing } = scaffold;
        hasher.field(closing.as_deref().unwrap_or_default().as_bytes());
        hasher.field(&(openings.len() as u64).to_le_bytes());
        for (step, opening) in openings {
            hasher.field(step.as_str().as_bytes());
            hasher.field(opening.as_bytes());
        }
        if let Some((last, earlier)) = messages.split_last() {
            for message in earlier {
                hasher.field(message.role.as_str().as_bytes());
                hasher.field(message.content.as_bytes());
            }
            hasher.field(last.role.as_str().as_bytes());
            hasher.field(normal(&last.content).as_bytes());
        }
        CacheKey::new(*hasher.0.finalize().as_bytes())
    }
}

struct Fields(blake3::Hasher);

impl Fields {
    fn field(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn optional(&mut self, value: Option<u32>) {
        match value {
            None => self.field(b""),
            Some(value) => self.field(&value.to_le_bytes()),
        }
    }
}

/// NFC, trimmed, inner white space folded: questions that look the same are the same.
fn normal(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.nfc());
    }
    folded
}

#[cfg(test)]
mod tests {
    use hitesh_domain::{Role, Step};

    use super::*;

    struct Parts {
        owner: Owner,
        persona: PersonaId,
        hash: [u8; 32],
        provider: ProviderId,
        model: String,
        sampling: Sampling,
        format: StepFormat,
        messages: Vec<Message>,
        scaffold: Scaffold,
    }

    impl Parts {
        fn new(question: &str) -> Self {
            Self {
                owner: Owner::public(),
                persona: "hitesh".parse().unwrap(),
                hash: [1; 32],
                provider: "openai".parse().unwrap(),
                model: "m".into(),
                sampling: Sampling::default(),
                format: StepFormat::Tagged,
                messages: vec![Message::new(Role::System, "rules"), Message::new(Role::User, question)],
                scaffold: Scaffold { openings: vec![(Step::Output, "Dekho,".into())], closing: None },
            }
        }

        fn key(&self) -> CacheKey {
            KeyParts {
                owner: &self.owner,
                persona: &self.persona,
                persona_hash: &self.hash,
                provider: &self.provider,
                model: &self.model,
                sampling: &self.sampling,
                step_format: self.format,
                messages: &self.messages,
                scaffold: &self.scaffold,
            }
            .digest()
        }
    }

    #[test]
    fn white_space_and_composition_do_not_matter() {
        assert_eq!(Parts::new("  cafe\u{301} \n kya hai ").key(), Parts::new("café kya hai").key());
    }

    #[test]
    fn every_part_matters() {
        let base = Parts::new("q").key();
        let changes: [fn(&mut Parts); 14] = [
            |p| p.owner = "other".parse().unwrap(),
            |p| p.persona = "other".parse().unwrap(),
            |p| p.hash = [2; 32],
            |p| p.provider = "other".parse().unwrap(),
            |p| p.model = "other".into(),
            |p| p.sampling.temperature = Some(0.0),
            |p| p.sampling.top_p = Some(0.0),
            |p| p.sampling.max_tokens = Some(0),
            |p| p.format = StepFormat::JsonSchema,
            |p| p.messages[0].content.push('x'),
            |p| p.messages[1].content.push('x'),
            |p| p.scaffold.openings[0].1.push('x'),
            |p| p.scaffold.openings.clear(),
            |p| p.scaffold.closing = Some("Aaj: chai.".into()),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut parts = Parts::new("q");
            change(&mut parts);
            assert_ne!(parts.key(), base, "change {index}");
        }
    }

    #[test]
    fn parts_can_not_run_into_each_other() {
        let mut one = Parts::new("q");
        one.owner = "ab".parse().unwrap();
        one.persona = "c".parse().unwrap();
        let mut two = Parts::new("q");
        two.owner = "a".parse().unwrap();
        two.persona = "bc".parse().unwrap();
        assert_ne!(one.key(), two.key());
    }
}
