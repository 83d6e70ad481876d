//! An in-process GGUF model on llama.cpp.
