//! The scripts that read and write a session, each one atomic step.

use std::sync::LazyLock;

use hitesh_redis::Script;

/// `always` is for what has to go on when the server's memory is full: signs of life, the ends of turns that were
/// acknowledged, and whatever frees memory. The others are refused then.
macro_rules! scripts {
    ($($when:ident $name:ident = $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(scripts!(@$when concat!(include_str!("scripts/common.lua"), include_str!(concat!("scripts/", $file)))))
        });)+
    };
    (@always $code:expr) => { concat!("#!lua flags=allow-oom\n", $code) };
    (@with_memory $code:expr) => { $code };
}

scripts! {
    with_memory INSERT = "insert.lua";
    always FINISH = "finish.lua";
    with_memory CHECKPOINT = "checkpoint.lua";
    always CONTEXT = "context.lua";
    always HISTORY = "history.lua";
    always TURN = "turn.lua";
    with_memory FEEDBACK = "feedback.lua";
    always ERASE = "erase.lua";
    always SWEEP = "sweep.lua";
    with_memory CLAIM = "claim.lua";
    with_memory CLAIMED = "claimed.lua";
    always UNBIND = "unbind.lua";
    with_memory POINT = "point.lua";
    always POINTED = "pointed.lua";
    always UNPOINT = "unpoint.lua";
    always GONE = "gone.lua";
    always OPEN = "open.lua";
    always BURY = "bury.lua";
    always RENEW = "renew.lua";
    always LEAVE = "leave.lua";
    always STOP = "stop.lua";
    always STOPS = "stops.lua";
    always EXPORT = "export.lua";
    with_memory IMPORT = "import.lua";
    with_memory IMPORT_CLAIMS = "import_claims.lua";
    with_memory STATS = "stats.lua";
}
