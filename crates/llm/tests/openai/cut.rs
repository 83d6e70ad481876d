//! A recorded stream, cut at every byte.

use crate::{
    chunks::{DONE, USAGE, delta, finish},
    provider, told,
    upstream::{Upstream, sse, write},
};

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_ends_only_if_it_had_told_its_end() {
    let before = format!("{}{}{}", delta("<output>"), delta("chai ☕"), delta("</output>"));
    let end = finish("stop");
    let stream = format!("{before}{end}{USAGE}{DONE}");
    // The answer is whole once the empty line after its reason has come.
    let whole_from = before.len() + end.len();
    // Where a text is still half in its packet, the empty line that ends the event is what counts.
    for cut in 0..=stream.len() {
        let upstream = Upstream::new([vec![write(sse(&stream.as_bytes()[..cut]))]]);
        let told = told(&provider(upstream.base_url())).await;
        assert_eq!(told.contains("Finish(Stop)"), cut >= whole_from, "cut at {cut}: {told}");
        assert_eq!(told.contains("broke off"), cut < whole_from, "cut at {cut}: {told}");
    }
}
