#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ike_v2::v2_session(data));
