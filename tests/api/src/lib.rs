//! Tests that speak HTTP to the real binary, with a scripted upstream behind it.
