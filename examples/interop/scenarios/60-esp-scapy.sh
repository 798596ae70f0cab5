# What strongSwan's userland ESP cannot show: raw ESP, transport mode and ESN, against scapy, both directions.
esp_scapy() { # MODE FAMILY UDP ESN
  /usr/bin/python3 "$HERE/lib/esp_scapy.py" "$INTEROP_ESP_ORACLE" "$@" >"$DIR/scapy.out" 2>&1 || fail "scapy and we differ: $(tail -1 "$DIR/scapy.out")"
  note "$(tail -1 "$DIR/scapy.out")"
}
scenario esp-tunnel-v4 300 'ESP tunnel mode, IPv4, raw: scapy opens ours, we open its' esp_scapy tunnel 4 0 0
scenario esp-tunnel-v6 300 'ESP tunnel mode, IPv6, raw' esp_scapy tunnel 6 0 0
scenario esp-tunnel-udp 300 'ESP tunnel mode in UDP' esp_scapy tunnel 4 1 0
scenario esp-transport-v4 300 'ESP transport mode, IPv4, raw' esp_scapy transport 4 0 0
scenario esp-transport-v6 300 'ESP transport mode, IPv6, raw' esp_scapy transport 6 0 0
scenario esp-transport-udp 300 'ESP transport mode in UDP' esp_scapy transport 4 1 0
scenario esp-tunnel-esn 300 'ESP tunnel mode with extended sequence numbers' esp_scapy tunnel 4 0 1
scenario esp-transport-esn 300 'ESP transport mode with extended sequence numbers' esp_scapy transport 4 0 1
