use std::mem;

use hitesh_domain::Step;

use super::{Completeness, StepEvent, reasoning::Reasoning};

/// Keeps the promises of [`StepEvent`]: order, each step once, trimmed texts, no empty delta, no empty step.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    events: Vec<StepEvent>,
    /// The step that was begun last.
    last: Option<Step>,
    /// Whether it is still open.
    open: bool,
    /// Text that is a part of the open step only if more visible text comes.
    held: String,
    /// Whether the output is finished.
    whole: bool,
    /// What is shown at the beginning of `think`.
    pub(super) reasoning: Reasoning,
}

impl Emitter {
    pub(super) fn take_events(&mut self) -> Vec<StepEvent> {
        mem::take(&mut self.events)
    }

    /// Whether `step` is open or may still begin.
    pub(super) fn accepts(&self, step: Step) -> bool {
        self.is_open(step) || self.last.is_none_or(|last| last < step)
    }

    pub(super) fn is_open(&self, step: Step) -> bool {
        self.open && self.last == Some(step)
    }

    /// A piece of `step`. White space around the whole text is left out; a late step is dropped.
    pub(super) fn text(&mut self, step: Step, text: &str) {
        let text = if self.is_open(step) {
            text
        } else {
            let text = text.trim_start();
            if text.is_empty() || !self.accepts(step) {
                return;
            }
            self.begin(step);
            text
        };
        let visible = text.trim_end();
        if !visible.is_empty() {
            let held = mem::take(&mut self.held);
            self.delta(step, &held);
            self.delta(step, visible);
        }
        self.held.push_str(text.get(visible.len()..).unwrap_or_default());
    }

    fn begin(&mut self, step: Step) {
        let no_think_yet = self.last.is_none_or(|last| last < Step::Think);
        if step == Step::Output
            && no_think_yet
            && let Some(text) = self.reasoning.take()
        {
            self.events.push(StepEvent::Started(Step::Think));
            self.events.push(StepEvent::Reasoning(text));
            self.events.push(StepEvent::Finished(Step::Think));
        }
        self.events.push(StepEvent::Started(step));
        if step == Step::Think
            && let Some(text) = self.reasoning.take()
        {
            self.events.push(StepEvent::Reasoning(text + "\n\n"));
        }
        self.last = Some(step);
        self.open = true;
        self.held.clear();
    }

    fn delta(&mut self, step: Step, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.events.last_mut() {
            Some(StepEvent::Delta(of, delta)) if *of == step => delta.push_str(text),
            _ => self.events.push(StepEvent::Delta(step, text.to_owned())),
        }
    }

    /// Visible text that counts only if more follows.
    pub(super) fn hold(&mut self, text: &str) {
        self.held.push_str(text);
    }

    /// What is held was no text.
    pub(super) fn drop_held(&mut self) {
        self.held.clear();
    }

    /// The end of `step` was seen. One that never had visible text is as good as missing.
    pub(super) fn end(&mut self, step: Step) {
        if self.is_open(step) {
            let held = mem::take(&mut self.held);
            self.delta(step, held.trim_end());
            self.open = false;
            self.whole = step == Step::Output;
            self.events.push(StepEvent::Finished(step));
        }
    }

    pub(super) fn completeness(&self, ended: bool) -> Completeness {
        if self.whole {
            Completeness::Complete
        } else if !ended || self.is_open(Step::Output) {
            Completeness::Cut
        } else {
            Completeness::NoOutput
        }
    }
}
