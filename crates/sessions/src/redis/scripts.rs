//! The scripts that read and write a session, each one atomic step.

use std::sync::LazyLock;

use hitesh_redis::Script;

macro_rules! scripts {
    ($($name:ident = $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(include_str!("scripts/common.lua"), include_str!(concat!("scripts/", $file))))
        });)+
    };
}

scripts! {
    INSERT = "insert.lua";
    FINISH = "finish.lua";
    CHECKPOINT = "checkpoint.lua";
    CONTEXT = "context.lua";
    HISTORY = "history.lua";
    TURN = "turn.lua";
    FEEDBACK = "feedback.lua";
    ERASE = "erase.lua";
    SWEEP = "sweep.lua";
    CLAIM = "claim.lua";
    GONE = "gone.lua";
    OPEN = "open.lua";
    BURY = "bury.lua";
    RENEW = "renew.lua";
    LEAVE = "leave.lua";
    STOP = "stop.lua";
    STOPS = "stops.lua";
}
