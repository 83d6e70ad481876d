use hitesh_domain::{Step, StepFormat};

/// How an answer of these steps looks in `format`; for texts that hold no marks, what
/// [`StepParser`](crate::StepParser) reads back. Steps without visible text are left out.
pub fn render_steps<'a>(format: StepFormat, steps: impl IntoIterator<Item = (Step, &'a str)>) -> String {
    let steps = steps.into_iter().map(|(step, text)| (step, text.trim())).filter(|(_, text)| !text.is_empty());
    match format {
        StepFormat::Tagged => {
            let parts: Vec<_> = steps.map(|(step, text)| format!("<{step}>{text}</{step}>")).collect();
            parts.join("\n")
        }
        // By hand, since the order of the keys matters.
        StepFormat::JsonSchema | StepFormat::JsonObject => {
            let parts: Vec<_> =
                steps.map(|(step, text)| format!("\"{step}\":{}", serde_json::Value::from(text))).collect();
            format!("{{{}}}", parts.join(","))
        }
    }
}
