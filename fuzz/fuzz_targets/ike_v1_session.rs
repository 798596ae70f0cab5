#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ike::v1_session(data));
