//! Tells cargo that the packs are a part of the crate: `include_dir` by itself does not notice a new file.

fn main() {
    println!("cargo:rerun-if-changed=packs");
}
