use hitesh_domain::{TurnEvent, TurnId};

use super::{Encoder, frame, whole_steps::WholeSteps};

/// The original form: unnamed events only, each frame exactly `data: {json}` and an empty line, because older frontends
/// cut at the empty line and look for `data: ` at its beginning.
#[derive(Debug)]
pub(crate) struct SeedFrames(WholeSteps);

impl SeedFrames {
    /// For the events of `turn`, from its first.
    pub(crate) fn new(turn: TurnId) -> Self {
        Self(WholeSteps::new(turn))
    }
}

impl Encoder for SeedFrames {
    fn encode(&mut self, number: u64, event: &TurnEvent, out: &mut Vec<u8>) {
        if let Some(body) = self.0.take(number, event) {
            frame::data(&body, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sse::deltas::tests::{cut_turn, encoded, failed_turn, turn_id, whole_turn};

    #[test]
    fn a_whole_answer_is_a_frame_for_each_step() {
        insta::assert_snapshot!(encoded(SeedFrames::new(turn_id()), &whole_turn()));
    }

    #[test]
    fn a_cut_output_is_never_shown_as_whole() {
        insta::assert_snapshot!(encoded(SeedFrames::new(turn_id()), &cut_turn()));
    }

    #[test]
    fn a_turn_that_never_became_durable_is_one_error() {
        insta::assert_snapshot!(encoded(SeedFrames::new(turn_id()), &failed_turn()));
    }

    #[test]
    fn every_frame_begins_with_data_and_only_the_last_is_complete() {
        for turn in [whole_turn(), cut_turn(), failed_turn()] {
            let text = encoded(SeedFrames::new(turn_id()), &turn);
            let frames: Vec<_> = text.strip_suffix("\n\n").unwrap().split("\n\n").collect();
            assert!(frames.iter().all(|frame| frame.starts_with("data: {") && !frame.contains('\n')));
            let complete: Vec<_> = frames.iter().map(|frame| frame.contains(r#""is_complete":true"#)).collect();
            assert_eq!(complete.iter().filter(|complete| **complete).count(), 1);
            assert!(complete.last().unwrap());
        }
    }
}
