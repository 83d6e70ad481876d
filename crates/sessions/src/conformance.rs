//! The conformance suite that every session store passes.
