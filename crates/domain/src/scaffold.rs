use crate::Step;

/// What the server itself writes of an answer; the model writes the rest. For models that keep better to the manner in
/// which an answer began than to what they are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scaffold {
    /// How the steps begin; a step that is not there begins with the model's own words.
    pub openings: Vec<(Step, String)>,
    /// A paragraph that the output ends with, such as the next step to take, unless the model has written one that begins
    /// with the same word.
    pub closing: Option<String>,
}
