//! Whether this processor can run the code that llama.cpp was compiled to. The check is made before anything of
//! it is called: an instruction that is missing would end the process.

use super::ModelError;

/// # Errors
/// [`ModelError::Cpu`] names what is missing.
pub(super) fn check() -> Result<(), ModelError> {
    let missing = missing();
    if missing.is_empty() { Ok(()) } else { Err(ModelError::Cpu { missing: missing.join(", ") }) }
}

/// The instruction sets that `.cargo/config.toml` has ggml built for, which this processor lacks.
#[cfg(target_arch = "x86_64")]
fn missing() -> Vec<&'static str> {
    [
        ("SSE4.2", is_x86_feature_detected!("sse4.2")),
        ("AVX", is_x86_feature_detected!("avx")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
        ("BMI2", is_x86_feature_detected!("bmi2")),
    ]
    .into_iter()
    .filter_map(|(name, present)| (!present).then_some(name))
    .collect()
}

/// Elsewhere ggml is built for the architecture's baseline.
#[cfg(not(target_arch = "x86_64"))]
fn missing() -> Vec<&'static str> {
    Vec::new()
}
