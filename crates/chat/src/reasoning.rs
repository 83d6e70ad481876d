/// Whether models of this name reason before they answer, in the text itself where their server does not part the two.
/// Their chat templates open the reasoning, so that only its end may be in the text. Told by words of the name that
/// such families have in common; a model that can do either writes its marks itself, and needs no guess.
pub(crate) fn is_of_reasoning(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    let mut previous = "";
    model.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        let known = word == "r1" || ["qwq", "reason", "thinking", "magistral"].iter().any(|part| word.contains(part));
        std::mem::replace(&mut previous, word) != "non" && known
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_reason_are_known_by_their_names() {
        for model in [
            "deepseek-r1:8b",
            "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
            "deepseek-reasoner",
            "qwq:32b",
            "microsoft/Phi-4-mini-reasoning",
            "Qwen3-4B-Thinking-2507",
            "magistral-small-2509",
        ] {
            assert!(is_of_reasoning(model), "{model}");
        }
    }

    #[test]
    fn other_models_do_not_reason() {
        for model in ["gpt-4o-mini", "llama-3.1-8b-instruct", "solar10.7b", "qwen2.5:1.5b", "grok-4-fast-non-reasoning"]
        {
            assert!(!is_of_reasoning(model), "{model}");
        }
    }
}
