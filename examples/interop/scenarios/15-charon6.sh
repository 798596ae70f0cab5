# strongSwan 6.1 (peers/charon61): ESP without UDP on the wire, which 5.9.8 cannot do.
raw_esp() { # a|b K=V…
  tunnel "$1" CHARON=6 "${@:2}"; file_through a 2; capture_end b
  local raw udp
  raw=$(tshark -r b.pcap -Y 'ip.proto == 50' 2>/dev/null | wc -l)
  udp=$(tshark -r b.pcap -Y 'udp.port == 4500 && esp' 2>/dev/null | wc -l)
  [ "$raw" -gt 12 ] || fail "$raw raw ESP packets on the wire"
  [ "$udp" = 0 ] || fail "$udp ESP packets in UDP: there is no NAT"
  note "$raw raw ESP packets"
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  for v in 1 2; do
    scenario "v$v-charon6-init-rawesp" 60 'raw ESP with strongSwan 6.1, we initiate' raw_esp a "VERSION=$v" ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256
    scenario "v$v-charon6-resp-rawesp" 60 'raw ESP with strongSwan 6.1, they initiate' raw_esp b "VERSION=$v" ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256
  done
fi
