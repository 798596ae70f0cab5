#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::isakmp::v1_chain(data));
