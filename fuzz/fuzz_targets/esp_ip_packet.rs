#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::esp::ip_packet(data));
