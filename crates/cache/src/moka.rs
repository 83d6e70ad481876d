#[derive(Debug)]
pub struct MokaCache;
